"""The sound of data sets, decoded once; and what only the sound tells about clips: their lengths, and copies."""

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
from trainer.data.dataset import Clip, DataSet, stable_random
from trainer.data.readers import Notice


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr)


class DecodedAudio:
    """The decoded sound of a data set: 16-bit at 16 kHz, memory-mapped from one file per folder.

    Each clip that has not been through a phone already also has a copy that went through a phone's or recorder's codec,
    so that a codec never reveals a label. `kinds` names these takes. `skipped` lists the files that could not be
    decoded, with the reason.
    """

    def __init__(self, data: DataSet, cache: Path, codecs: bool = True, notice: Notice = _to_stderr) -> None:
        self.kinds = ("plain", "phone") if codecs else ("plain",)
        cache.mkdir(parents=True, exist_ok=True)
        self._takes: dict[str, list[npt.NDArray[np.int16]]] = {}
        self._contents: dict[str, str] = {}
        self.skipped: list[tuple[str, str]] = []
        for root in data.roots:
            key = hashlib.sha256(json.dumps([2, self.kinds, str(root.resolve())]).encode()).hexdigest()[:16]
            self._decode(root, data.part(root), cache / f"{key}.i16", cache / f"{key}.json")
        for path, reason in self.skipped:
            notice(f"Skipped {path}: {reason}")

    def _decode(self, root: Path, clips: Mapping[str, Clip], store: Path, index: Path) -> None:
        """Append the sounds that the store lacks, and index all clips. clips: by path in the folder.

        Sounds are stored under the hash of the file, so a copy with another name, or a file that was merely touched,
        costs nothing. The index is written last, and only what it lists counts.
        """
        from filelock import FileLock
        from tqdm import tqdm

        with FileLock(index.with_suffix(".lock")):  # several trainings may start at once
            known = _index(index, store)
            seen: dict[str, list[Any]] = known["seen"]  # path → size, modification time, content
            sounds: dict[str, list[Any]] = known["sounds"]  # content → places in the store, reason if it has none
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
                        taken = wave if take == "plain" else codec_copy(wave, stable_random(path, "codec"))
                        samples = np.clip(np.round(taken * 32767.0), -32768, 32767).astype(np.int16)
                        file.write(samples.tobytes())
                        places.append((position, position + samples.size))
                        position += samples.size
                    sounds[content] = [places, reason]
            if changed or new:
                write_whole(index, json.dumps(known), flush_to_disk=False)
        self.skipped += [(clips[path].path, reason) for path, reason in unread.items()]
        # Plain views of the mapped file, because slicing a memmap takes ten times as long.
        samples = np.asarray(np.memmap(store, np.int16, "r")) if store.stat().st_size else np.zeros(0, np.int16)
        for path in readable:
            content = seen[path][2]
            places, reason = sounds[content]
            if reason:
                self.skipped.append((clips[path].path, reason))
            else:
                self._takes[clips[path].path] = [samples[start:stop] for start, stop in places]
                self._contents[clips[path].path] = content

    def __contains__(self, path: object) -> bool:
        return path in self._takes

    def content(self, path: str) -> str:
        """Return the hash of the file's bytes."""
        return self._contents[path]

    def samples(self, path: str) -> int:
        """Return the length of a clip in samples."""
        return self._takes[path][0].size

    def takes(self, path: str) -> int:
        """Return the number of takes of a clip: 1, or 2 with a phone's copy."""
        return len(self._takes[path])

    def read(self, path: str, start: int = 0, stop: int | None = None, take: int = 0) -> Wave:
        """Return samples [start, stop) of a clip, (samples,) float32 in [-1, 1]; fewer at the end of the clip."""
        return self._takes[path][take][start:stop].astype(np.float32) / np.float32(32767.0)


def _index(index: Path, store: Path) -> dict[str, Any]:
    """Return what the store holds.

    An index that is damaged, or whose store is missing or too short, counts as empty. The store would otherwise be
    filled up with silence.
    """
    try:
        known: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))
        if store.stat().st_size >= 2 * _end(known["sounds"]):
            return known
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"seen": {}, "sounds": {}}


def _end(sounds: Mapping[str, list[Any]]) -> int:
    """Return where the last sound in the store ends, in samples."""
    return max((stop for places, _ in sounds.values() for _, stop in places), default=0)


def _stamp(path: Path) -> list[int]:
    """Return size and modification time. While they do not change, the file is not read again."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def merge_duplicate_groups(clips: Sequence[Clip], audio: DecodedAudio) -> list[Clip]:
    """Merge groups that share a file of the same content, so that a copy cannot be on another side of the split."""
    parent: dict[str, str] = {}

    def root(group: str) -> str:
        while parent.get(group, group) != group:
            group = parent[group]
        return group

    first: dict[str, str] = {}
    for clip in clips:
        group, twin = root(clip.group), root(first.setdefault(audio.content(clip.path), clip.group))
        parent[max(group, twin)] = min(group, twin)
    return [replace(clip, group=root(clip.group)) for clip in clips]


def trim_to_audio(clips: Iterable[Clip], audio: DecodedAudio) -> list[Clip]:
    """Return the clips that were decoded, with their spans cut to the length of the sound, and without empty spans."""
    trimmed = []
    for clip in clips:
        if clip.path not in audio:
            continue
        length = audio.samples(clip.path) / SAMPLE_RATE
        cut = (replace(span, end=min(span.end, length)) for span in clip.spans)
        spans = tuple(span for span in cut if span.end > span.start)
        if spans:
            trimmed.append(replace(clip, spans=spans))
    return trimmed
