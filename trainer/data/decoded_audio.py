"""The sound of data sets, decoded once; and what only the sound tells of clips: how long they are, which are copies."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import SAMPLE_RATE, AudioError, Wave
from babymonitor.core.whole_file import write_whole
from trainer.audio.phone_codecs import codec_copy, is_coded
from trainer.data.dataset import Clip, DataSet, draw
from trainer.data.readers import Notice


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr)


class Waves:
    """The decoded sound of a data set: 16-bit at 16 kHz, mapped from one file on disk for each folder, so that epochs
    cost no decoding.

    Beside each clip that a phone has not coded already lies a copy that went through a phone's or recorder's codec, so
    that a codec never gives a label away. `skipped` lists the files that could not be decoded, with the reason.
    """

    def __init__(self, data: DataSet, cache: Path, codecs: bool = True, notice: Notice = _to_stderr) -> None:
        self.kinds = ("plain", "phone") if codecs else ("plain",)
        cache.mkdir(parents=True, exist_ok=True)
        self._at: dict[str, list[npt.NDArray[np.int16]]] = {}
        self._contents: dict[str, str] = {}
        self.skipped: list[tuple[str, str]] = []
        for root in data.roots:
            key = hashlib.sha256(json.dumps([2, self.kinds, str(root.resolve())]).encode()).hexdigest()[:16]
            self._decode(root, data.part(root), cache / f"{key}.i16", cache / f"{key}.json")
        for path, reason in self.skipped:
            notice(f"Skipped {path}: {reason}")

    def _decode(self, root: Path, clips: Mapping[str, Clip], store: Path, index: Path) -> None:
        """Append what is not in the store yet. What a file is called by is its content: a copy under another name, or
        the same file touched, costs nothing. The index is written last: it alone counts. clips: by path in the folder.
        """
        from filelock import FileLock
        from tqdm import tqdm

        with FileLock(index.with_suffix(".lock")):  # several trainings may begin at once
            known = _index(index, store)
            seen: dict[str, list[Any]] = known["seen"]  # path → size, time of change, content
            sounds: dict[str, list[Any]] = known["sounds"]  # content → places in the store, why it has none
            changed = False
            unread: dict[str, str] = {}
            for path in clips:
                try:
                    stamp = _stamp(root / path)
                    if seen.get(path, [])[:2] != stamp:
                        seen[path] = [*stamp, _content(root / path)]
                        changed = True
                except OSError as error:
                    unread[path] = f"it cannot be read: {error.strerror}."
            readable = [path for path in clips if path not in unread]
            new = {seen[path][2]: path for path in readable if seen[path][2] not in sounds}
            position = _end(sounds)
            with store.open("r+b" if store.is_file() else "w+b") as file:
                file.truncate(2 * position)
                file.seek(2 * position)
                shown = None if new else True
                for content, path in tqdm(new.items(), desc="decoding", unit="clip", file=sys.stderr, disable=shown):
                    places: list[tuple[int, int]] = []
                    reason = ""
                    try:
                        wave = read_wave(root / path)
                    except AudioError as error:
                        wave, reason = np.zeros(0, np.float32), str(error)
                    for take in self.kinds[: 1 if is_coded(path) else None] if not reason else ():
                        taken = wave if take == "plain" else codec_copy(wave, draw(path, "codec"))
                        samples = np.clip(np.round(taken * 32767.0), -32768, 32767).astype(np.int16)
                        file.write(samples.tobytes())
                        places.append((position, position + samples.size))
                        position += samples.size
                    sounds[content] = [places, reason]
            if changed or new:
                write_whole(index, json.dumps(known), flush_to_disk=False)
        self.skipped += [(clips[path].path, reason) for path, reason in unread.items()]
        # Views of the mapped file, as plain arrays: a slice of a memmap costs ten times as long.
        whole = np.asarray(np.memmap(store, np.int16, "r")) if store.stat().st_size else np.zeros(0, np.int16)
        for path in readable:
            content = seen[path][2]
            places, reason = sounds[content]
            if reason:
                self.skipped.append((clips[path].path, reason))
            else:
                self._at[clips[path].path] = [whole[start:stop] for start, stop in places]
                self._contents[clips[path].path] = content

    def __contains__(self, path: object) -> bool:
        return path in self._at

    def content(self, path: str) -> str:
        """The hash of the file's bytes."""
        return self._contents[path]

    def samples(self, path: str) -> int:
        return self._at[path][0].size

    def takes(self, path: str) -> int:
        return len(self._at[path])

    def read(self, path: str, start: int = 0, stop: int | None = None, take: int = 0) -> Wave:
        """Samples [start, stop) of a clip, (samples,) float32 in [-1, 1]; fewer where the clip ends."""
        return self._at[path][take][start:stop].astype(np.float32) / np.float32(32767.0)


def _index(index: Path, store: Path) -> dict[str, Any]:
    """What the store holds; nothing, where the index is damaged or the store is shorter than it says: a store that
    somebody's clean-up took away would else be filled up with silence.
    """
    try:
        known: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))
        if store.stat().st_size >= 2 * _end(known["sounds"]):
            return known
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"seen": {}, "sounds": {}}


def _end(sounds: Mapping[str, list[Any]]) -> int:
    """Where the last sound in the store ends, in samples."""
    return max((stop for places, _ in sounds.values() for _, stop in places), default=0)


def _stamp(path: Path) -> list[int]:
    """Size and time of change: while they stay, the content is not read again."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def united(clips: Sequence[Clip], waves: Waves) -> list[Clip]:
    """The clips, groups that share a file of the same content made one: a copy must not stand on another side."""
    name: dict[str, str] = {}

    def found(group: str) -> str:
        while name.get(group, group) != group:
            group = name[group]
        return group

    first: dict[str, str] = {}
    for clip in clips:
        one, other = found(clip.group), found(first.setdefault(waves.content(clip.path), clip.group))
        name[max(one, other)] = min(one, other)
    return [replace(clip, group=found(clip.group)) for clip in clips]


def closed(clips: Iterable[Clip], waves: Waves) -> list[Clip]:
    """The clips that could be decoded, their spans cut to the sound's true length and empty ones dropped."""
    kept = []
    for clip in clips:
        if clip.path not in waves:
            continue
        length = waves.samples(clip.path) / SAMPLE_RATE
        cut = (replace(span, end=min(span.end, length)) for span in clip.spans)
        spans = tuple(span for span in cut if span.end > span.start)
        if spans:
            kept.append(replace(clip, spans=spans))
    return kept
