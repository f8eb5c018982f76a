"""The library: the person's labelled clips, stored as a data set for the trainer and indexed in SQLite.

The files `library/<label>/<group>/<id>.flac` are authoritative, the database is an index. A file is written or moved
before its row is, so a crash leaves the two different at worst; opening compares them and corrects the rows. A lost
database is rebuilt from the metadata in the files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from babymonitor.core import paths
from babymonitor.core.labels import LABELS
from babymonitor.core.labels import label as look_of
from babymonitor.core.library import label_counts
from babymonitor.core.library.clip import (
    SOURCES,
    UNLABELLED,
    AlreadyThereError,
    LibraryClip,
    LibraryError,
    checked_group,
    checked_label,
    checked_note,
    checked_samples,
    comment_of,
    encoded,
    has_same_comment,
    id_of,
    loudness,
    relative_path,
    storable,
)
from babymonitor.core.library.database import LibraryDatabase
from babymonitor.core.library.folders import move, refusal_as, remove_empty_folders, sync_folder
from babymonitor.core.library.label_counts import FEWEST_CLIPS, GOOD_CLIPS, LabelHealth
from babymonitor.core.library.reconcile import reconcile
from babymonitor.core.messages import Code, message
from babymonitor.core.sound import flac_tag
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import SAMPLE_RATE, AudioError, Wave
from babymonitor.core.whole_file import whole_file, write_whole

__all__ = [
    "FEWEST_CLIPS",
    "GOOD_CLIPS",
    "AlreadyThereError",
    "LabelHealth",
    "Library",
    "LibraryClip",
    "LibraryError",
]

_DAY = 86400.0
_OF_HEALTH = 'SELECT label, "group", baby, source, recorded, seconds FROM clips WHERE deleted IS NULL'


class Library:
    """The opened library, used by one thread. Every method may raise LibraryError; then it has changed nothing.

    folder: of the clips; the trash is beside it. database: the index, by default beside `folder`. By default both are
    the person's own. complaints: sentences on what was found and corrected when opening.
    """

    def __init__(self, folder: Path | None = None, database: Path | None = None) -> None:
        self.folder = Path(os.path.abspath(folder or paths.library_folder()))
        self.trash = self.folder.with_name("trash") if folder else paths.trash_folder()
        self.complaints: list[str] = []
        self._listeners: list[Callable[[list[str]], None]] = []
        self._touched: dict[str, None] = {}
        self._depth = 0
        database = database or (self.folder.with_name("library.sqlite") if folder else paths.library_file())
        try:
            for place in (self.folder, self.trash):
                place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(
                Code.LIBRARY_CANNOT_BE_KEPT, path=self.folder, reason=error.strerror or str(error)
            ) from error
        self._database = LibraryDatabase(database, self._place)
        if self._database.put_aside:
            self.complaints.append(message(Code.LIBRARY_PUT_ASIDE, name=self._database.put_aside))
        try:
            self.complaints += reconcile(self._database, self.folder, self.trash, self._place)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._database.close()

    # Announcing

    def on_change(self, listener: Callable[[list[str]], None]) -> None:
        """Call `listener` after each change with the ids of the clips that were added, changed, deleted or restored."""
        self._listeners.append(listener)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Announce all changes made inside as one, at the end; also where one failed, as others may have been made."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth and self._touched:
                ids, self._touched = list(self._touched), {}
                self.announce(ids)

    def announce(self, ids: Sequence[str]) -> None:
        """Tell the listeners at once that these clips changed: for clips that were added with `is_announced` off."""
        for listener in self._listeners:
            listener(list(ids))

    def _announce_later(self, clips: Iterable[LibraryClip]) -> None:
        """Have these clips announced when the outermost `together` ends; outside of any, now."""
        with self.together():
            self._touched.update(dict.fromkeys(clip.id for clip in clips))

    # Reading

    def clips(
        self,
        *,
        label: str | None = None,
        baby: str | None = None,
        group: str | None = None,
        text: str = "",
        since: float = 0.0,
    ) -> list[LibraryClip]:
        """The clips, most recently recorded first. label: "" for clips without one. since: earliest time of recording.

        text: part of the note, the label, the group, the baby's name or the origin, in any case.
        """
        condition = "deleted IS NULL AND recorded >= ?"
        values: list[object] = [since or -1e12]
        for column, value in (("label", label), ("baby", baby), ('"group"', group)):
            if value is not None:
                condition += f" AND {column} = ?"
                values.append(value)
        clips = self._database.select(condition, values)
        wanted = text.strip().casefold()
        if not wanted:
            return clips
        titles = {name: look_of(name).title for name in {clip.label for clip in clips}}
        return [
            clip
            for clip in clips
            if wanted
            in "\n".join((clip.note, clip.label, titles[clip.label], clip.group, clip.baby, clip.origin)).casefold()
        ]

    def clip(self, id: str) -> LibraryClip | None:
        """The clip with this id; None if there is none or it is in the trash."""
        return next(iter(self._database.select("deleted IS NULL AND id = ?", (id,))), None)

    def trashed(self) -> list[LibraryClip]:
        """The clips in the trash, most recently deleted first."""
        order = [id for (id,) in self._database.table(
            "SELECT id FROM clips WHERE deleted IS NOT NULL ORDER BY deleted DESC, id"
        )]  # fmt: skip
        clips = {clip.id: clip for clip in self._database.select("deleted IS NOT NULL")}
        return [clips[id] for id in order]

    def labels(self) -> list[str]:
        """The labels of the vocabulary, then other labels in use."""
        used = {label for (label,) in self._database.table("SELECT DISTINCT label FROM clips WHERE deleted IS NULL")}
        return [*LABELS, *sorted(used - LABELS.keys() - {""})]

    def health(self) -> list[LabelHealth]:
        """The counts of each of `labels()`."""
        return label_counts.health(self.labels(), self._database.table(f"{_OF_HEALTH} AND label != ''"))

    def advice(self) -> str:
        """A sentence on what to record next."""
        ((unlabelled,),) = self._database.table("SELECT count(*) FROM clips WHERE deleted IS NULL AND label = ''")
        return label_counts.advice(self.health(), unlabelled)

    # Changing

    def add(
        self,
        wave: Wave,
        label: str,
        *,
        group: str,
        baby: str = "",
        source: str = "microphone",
        recorded: float | None = None,
        note: str = "",
        guess: Mapping[str, float] | None = None,
        origin: str = "",
        is_announced: bool = True,
    ) -> LibraryClip:
        """Add (samples,) float32 at 16 kHz, 0.2 to 120 s. label: "" for none. recorded: by default now.

        is_announced: off for many clips; then call `announce` at the end. Raises AlreadyThereError if the library
        contains the same sound. If the trash does, it is replaced by this clip.
        """
        if source not in SOURCES:
            raise LibraryError(Code.LIBRARY_SOURCE_UNKNOWN, source=source, sources=", ".join(SOURCES))
        samples = checked_samples(wave)
        level, clipped = loudness(samples)
        now = time.time()
        clip = LibraryClip(
            id=id_of(samples),
            label=checked_label(label),
            group=checked_group(group),
            baby=storable(baby.strip()),
            source=source,
            recorded=now if recorded is None else recorded,
            seconds=samples.size / SAMPLE_RATE,
            level_db=level,
            is_clipped=clipped,
            note=checked_note(note),
            guess={name: float(value) for name, value in (guess or {}).items()},
            origin=storable(origin),
            added=now,
        )
        clip = self._placed(clip)
        if known := self.clip(clip.id):
            raise AlreadyThereError(known)
        try:
            with refusal_as(Code.LIBRARY_CLIP_NOT_KEPT):
                clip.path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(clip.path, encoded(samples, clip))
                sync_folder(clip.path.parent)
            in_trash = self._database.select("deleted IS NOT NULL AND id = ?", (clip.id,))
            self._database.put([clip])
        except LibraryError:
            self._remove(clip.path)
            raise
        for old in in_trash:
            self._remove(old.path)
        if is_announced:
            self._announce_later([clip])
        return clip

    def change(
        self, ids: Sequence[str], *, label: str | None = None, note: str | None = None, baby: str | None = None
    ) -> list[LibraryClip]:
        """Change label, note or baby of clips, all or none; None leaves a value as it is. Unknown ids are ignored.

        Returns the clips as they were, for `restore_rows`.
        """
        before = [clip for id in ids if (clip := self.clip(id))]
        new_label = None if label is None else checked_label(label)
        new_note = None if note is None else checked_note(note)
        new_baby = None if baby is None else storable(baby.strip())
        self._rewrite([
            (clip, replace(
                clip,
                label=clip.label if new_label is None else new_label,
                note=clip.note if new_note is None else new_note,
                baby=clip.baby if new_baby is None else new_baby,
            ))
            for clip in before
        ])  # fmt: skip
        return before

    def restore_rows(self, rows: Sequence[LibraryClip]) -> None:
        """Restore each clip to the state in `rows`, also from the trash: undoes `change`."""
        with self.together():
            self.undelete([row.id for row in rows])
            self._rewrite([(now, row) for row in rows if (now := self.clip(row.id))])

    def delete(self, ids: Sequence[str]) -> None:
        """Move clips to the trash."""
        clips = [clip for id in ids if (clip := self.clip(id))]
        gone = [clip.id for clip in clips if not clip.path.is_file()]
        now = time.time()
        pairs = [
            (clip, replace(clip, path=self.trash / relative_path(clip))) for clip in clips if clip.id not in set(gone)
        ]
        with refusal_as(Code.LIBRARY_CLIP_NOT_DELETED):
            for clip, _ in pairs:
                os.utime(clip.path, (now, now))  # the time of deletion, should its row be lost
        with self.together():
            self._move_all(pairs, Code.LIBRARY_CLIP_NOT_DELETED, now)
            self._database.remove(gone)
            self._announce_later(clip for clip in clips if clip.id in gone)

    def undelete(self, ids: Sequence[str]) -> None:
        """Move clips back from the trash."""
        clips = [clip for id in ids for clip in self._database.select("deleted IS NOT NULL AND id = ?", (id,))]
        self._move_all([(clip, self._placed(clip)) for clip in clips], Code.LIBRARY_CLIP_NOT_RESTORED)

    def purge(self, now: float, older_than_days: float = 30.0) -> int:
        """Permanently delete old trash. Returns the number of clips."""
        limit = now - older_than_days * _DAY
        old = self._database.select("deleted < ?", (limit,))
        for clip in old:
            self._remove(clip.path)
        self._database.remove([clip.id for clip in old])
        known = self._database.places()
        for file in self.trash.glob("*/*/*.flac"):
            with suppress(OSError):
                if not known.get(file.stem, ("", "", False))[2] and file.stat().st_mtime < limit:
                    self._remove(file)
        return len(old)

    def trim(self, id: str, start_seconds: float, end_seconds: float) -> LibraryClip:
        """Replace a clip by its part [start, end), a new clip with the same label and group; the old one is deleted.

        The part has no guess of the model. If the part is the complete clip, nothing changes.
        """
        clip = self.clip(id)
        if clip is None:
            raise LibraryError(Code.LIBRARY_CLIP_GONE)
        try:
            wave = read_wave(clip.path)
        except AudioError as error:
            raise LibraryError(error.message) from error
        start, end = (round(seconds * SAMPLE_RATE) for seconds in (max(0.0, start_seconds), end_seconds))
        part = wave[start:end]
        if part.size == wave.size:
            return clip
        with self.together():
            trimmed = self.add(
                part,
                clip.label,
                group=clip.group,
                baby=clip.baby,
                source=clip.source,
                recorded=clip.recorded + start / SAMPLE_RATE,
                note=clip.note,
                origin=clip.origin,
            )
            self.delete([id])
        return trimmed

    # The disk

    def _place(self, id: str, label: str, group: str, deleted: bool) -> Path:
        return Path(f"{self.trash if deleted else self.folder}/{label or UNLABELLED}/{group}/{id}.flac")

    def _placed(self, clip: LibraryClip) -> LibraryClip:
        return replace(clip, path=self._place(clip.id, clip.label, clip.group, False))

    def _rewrite(self, pairs: Sequence[tuple[LibraryClip, LibraryClip]]) -> None:
        """Turn each first clip into the second: rewrite the files' comments, then move the files."""
        pairs = [(now, self._placed(then)) for now, then in pairs]
        with refusal_as(Code.LIBRARY_CLIP_NOT_CHANGED), ExitStack() as temporaries:
            for now, then in pairs:
                if not has_same_comment(now, then):
                    temporary = temporaries.enter_context(whole_file(now.path))
                    flac_tag.copy_with_comment(now.path, temporary, comment_of(then))
        self._move_all(pairs, Code.LIBRARY_CLIP_NOT_CHANGED)

    def _move_all(
        self, pairs: Sequence[tuple[LibraryClip, LibraryClip]], refusal: Code, deleted: float | None = None
    ) -> None:
        """Move each first clip's file to the second's place, then update the rows; on failure, move the files back."""
        done: list[tuple[Path, Path]] = []
        try:
            with refusal_as(refusal):
                for now, then in pairs:
                    if now.path != then.path:
                        move(now.path, then.path)
                        done.append((now.path, then.path))
                for folder in {new.parent for _, new in done}:
                    sync_folder(folder)
            self._database.put([then for _, then in pairs], deleted)
        except LibraryError:
            for old, new in reversed(done):
                with suppress(OSError):
                    move(new, old)
                    self._remove_empty_folders(new)
            raise
        for old, _ in done:
            self._remove_empty_folders(old)
        self._announce_later(then for _, then in pairs)

    def _remove(self, path: Path) -> None:
        with suppress(OSError):
            path.unlink()
        self._remove_empty_folders(path)

    def _remove_empty_folders(self, path: Path) -> None:
        remove_empty_folders(path, self.trash if path.is_relative_to(self.trash) else self.folder)
