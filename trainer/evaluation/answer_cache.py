"""Listeners' scores, cached on disk: a sound is made once for all who have not heard it yet, and heard once by each."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import resources.synthesise
import trainer.audio.augment
import trainer.audio.synthetic
import trainer.evaluation.night_composer
import trainer.evaluation.night_stock
from babymonitor.core.sound.wave import Wave
from trainer.evaluation.listeners import Listener, code_of
from trainer.evaluation.night_outcomes import ScoreSeries
from trainer.evaluation.night_stock import Piece, Stock

_COMPOSING = (
    trainer.evaluation.night_composer,
    trainer.evaluation.night_stock,
    trainer.audio.augment,
    trainer.audio.synthetic,
    resources.synthesise,
)
_NOTE_SECONDS = 20.0
_BATCH_SOUNDS = 200
"""An interrupted run loses no more than the scores of so many sounds."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound that is made when it is needed.

    key: names everything that decides how it sounds. blocks: makes it, in blocks of (samples,).
    """

    key: str
    blocks: Callable[[], Iterable[Wave]]


def hash_of(*parts: object) -> str:
    """A short name for plain values, the same on every machine."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]


def note(sentence: str) -> None:
    """Tell of progress on standard error."""
    print(sentence, file=sys.stderr, flush=True)


def origin_of(stock: Stock) -> str:
    """A hash of what nights and backgrounds are made of: code and clips. Where it changes, so does the sound."""

    def contents(groups: list[list[Piece]]) -> list[object]:
        return [
            [[piece.path, stock.waves.content(piece.path), piece.start, piece.stop] for piece in group]
            for group in groups
        ]

    beds = {name: contents(groups) for name, groups in sorted(stock.beds.items())}
    return hash_of(code_of(*_COMPOSING), beds, contents(stock.cries))


class AnswerCache:
    """Scores by listener and batch of sounds, each batch a file of its own that holds numbers alone."""

    def __init__(self, folder: Path, notice: Callable[[str], None] = note) -> None:
        self._folder, self._notice = folder, notice

    def holds(self, title: str, sounds: Sequence[Sound], listeners: Sequence[Listener]) -> bool:
        """Whether nobody need listen to these sounds any more."""
        return all(
            path.is_file()
            for first in range(0, len(sounds), _BATCH_SOUNDS)
            for path in self._paths(title, sounds[first : first + _BATCH_SOUNDS], listeners).values()
        )

    def _paths(self, title: str, sounds: Sequence[Sound], listeners: Sequence[Listener]) -> dict[str, Path]:
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        file_name = f"{slug}-{hash_of(*(sound.key for sound in sounds))}.npz"
        return {listener.name: self._folder / listener.key / file_name for listener in listeners}

    def scores(
        self, title: str, sounds: Sequence[Sound], listeners: Sequence[Listener]
    ) -> dict[str, list[ScoreSeries]]:
        """Every listener's scores for every sound, by the listener's name. Only what is not cached is listened to."""
        answers: dict[str, list[ScoreSeries]] = {listener.name: [] for listener in listeners}
        for first in range(0, len(sounds), _BATCH_SOUNDS):
            batch = self._batch(title, sounds[first : first + _BATCH_SOUNDS], listeners)
            for name, batch_answers in batch.items():
                answers[name] += batch_answers
        return answers

    def _batch(
        self, title: str, sounds: Sequence[Sound], listeners: Sequence[Listener]
    ) -> dict[str, list[ScoreSeries]]:
        paths = self._paths(title, sounds, listeners)
        missing = [listener for listener in listeners if not paths[listener.name].is_file()]
        if missing:
            self._listen(title, sounds, missing, paths)
        return {listener.name: _read(paths[listener.name]) for listener in listeners}

    def _listen(
        self, title: str, sounds: Sequence[Sound], listeners: Sequence[Listener], paths: dict[str, Path]
    ) -> None:
        answers: dict[str, list[ScoreSeries]] = {listener.name: [] for listener in listeners}
        began = last_note = time.monotonic()
        names = ", ".join(listener.name for listener in listeners)
        self._notice(f"{title}: {len(sounds)} sound{'s' * (len(sounds) != 1)} for {names}")
        for number, sound in enumerate(sounds, start=1):
            sessions = [(listener.name, listener.begin()) for listener in listeners]
            for block in sound.blocks():
                for _, session in sessions:
                    session.push(block)
            for name, session in sessions:
                answers[name].append(session.finish())
            if time.monotonic() - last_note > _NOTE_SECONDS:
                last_note = time.monotonic()
                self._notice(f"  {number} of {len(sounds)} after {last_note - began:.0f} s")
        for name, listener_answers in answers.items():
            _write(paths[name], listener_answers)


def _write(path: Path, answers: Sequence[ScoreSeries]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part.npz")
    np.savez(
        partial,
        counts=np.array([len(answer.end_samples) for answer in answers], np.int64),
        end_samples=np.concatenate([answer.end_samples for answer in answers]),
        crying=np.concatenate([answer.crying for answer in answers]),
        level_db=np.concatenate([answer.level_db for answer in answers]),
    )
    partial.replace(path)


def _read(path: Path) -> list[ScoreSeries]:
    with np.load(path, allow_pickle=False) as stored:
        ends = np.cumsum(stored["counts"])[:-1]
        columns = [np.split(stored[name], ends) for name in ("end_samples", "crying", "level_db")]
    return [ScoreSeries(*arrays) for arrays in zip(*columns, strict=True)]
