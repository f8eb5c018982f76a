"""What listeners said, kept on disk: a sound is made once for all who have not heard it yet, and heard once by each."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from babymonitor.core.sound.wave import Wave
from benchmarks.hearing.listeners import Listener
from benchmarks.measurement import note
from trainer.evaluation.nights import Heard

_TELL_SECONDS = 20.0
_AT_ONCE = 200
"""Sounds of a batch: what is interrupted loses no more than the answers to these."""


@dataclass(frozen=True, slots=True)
class Sound:
    """key: says all that decides how it sounds. blocks: makes it, (samples,) at a time; called only where needed."""

    key: str
    blocks: Callable[[], Iterable[Wave]]


def hash_of(*parts: object) -> str:
    """A short name for plain values, the same on every machine."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]


class Kept:
    """Answers by listener and batch of sounds, each batch one file that holds numbers alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def hear(self, title: str, sounds: Sequence[Sound], listeners: Sequence[Listener]) -> dict[str, list[Heard]]:
        """Every listener's answer to every sound, by the listener's name; only what is not kept is listened to."""
        answers: dict[str, list[Heard]] = {one.name: [] for one in listeners}
        for at in range(0, len(sounds), _AT_ONCE):
            batch = self._batch(title, sounds[at : at + _AT_ONCE], listeners)
            for name, some in batch.items():
                answers[name] += some
        return answers

    def _batch(self, title: str, sounds: Sequence[Sound], listeners: Sequence[Listener]) -> dict[str, list[Heard]]:
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        batch = f"{slug}-{hash_of(*(sound.key for sound in sounds))}.npz"
        paths = {one.name: self._folder / one.key / batch for one in listeners}
        lacking = [one for one in listeners if not paths[one.name].is_file()]
        if lacking:
            self._listen(title, sounds, lacking, paths)
        return {one.name: _read(paths[one.name]) for one in listeners}

    def _listen(
        self, title: str, sounds: Sequence[Sound], listeners: Sequence[Listener], paths: dict[str, Path]
    ) -> None:
        answers: dict[str, list[Heard]] = {one.name: [] for one in listeners}
        began = told = time.monotonic()
        names = ", ".join(one.name for one in listeners)
        note(f"{title}: {len(sounds)} sound{'s' * (len(sounds) != 1)} for {names}")
        for number, sound in enumerate(sounds):
            sessions = [(one.name, one.begin()) for one in listeners]
            for block in sound.blocks():
                for _, session in sessions:
                    session.push(block)
            for name, session in sessions:
                answers[name].append(session.finish())
            if time.monotonic() - told > _TELL_SECONDS:
                told = time.monotonic()
                note(f"  {number + 1} of {len(sounds)} after {told - began:.0f} s")
        for name, some in answers.items():
            _write(paths[name], some)


def _write(path: Path, answers: Sequence[Heard]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part.npz")
    np.savez(
        partial,
        counts=np.array([len(one.end_samples) for one in answers], np.int64),
        end_samples=np.concatenate([one.end_samples for one in answers]),
        crying=np.concatenate([one.crying for one in answers]),
        level_db=np.concatenate([one.level_db for one in answers]),
    )
    partial.replace(path)


def _read(path: Path) -> list[Heard]:
    with np.load(path, allow_pickle=False) as kept:
        ends = np.cumsum(kept["counts"])[:-1]
        columns = [np.split(kept[name], ends) for name in ("end_samples", "crying", "level_db")]
    return [Heard(*some) for some in zip(*columns, strict=True)]
