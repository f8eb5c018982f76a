"""`babymonitor selftest`: is everything there that a night needs? A line each, and an exit status."""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from babymonitor.core import paths
from babymonitor.core.audio import AudioError, read_wave
from babymonitor.core.classifier import Classifier, ModelError, decode_golden
from babymonitor.core.history import History, HistoryError
from babymonitor.core.settings import replace_file
from babymonitor.live import model_files
from babymonitor.live.sound_card import SoundCard


class _FaultError(Exception):
    """What is wrong, in a sentence."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, help="another model file")


def run(arguments: argparse.Namespace) -> int:
    """0 when all is well, 1 when something is not."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("model", lambda: _model(arguments.model or paths.default_model())),
        ("sound", _sound),
        ("alarm", _alarm),
        ("storage", _storage),
        ("channels", lambda: "none is set up: nothing leaves this computer"),
    ]
    well = True
    for name, check in checks:
        try:
            print(f"ok    {name}: {check()}")
        except (_FaultError, ModelError, AudioError, HistoryError) as error:
            well = False
            print(f"FAIL  {name}: {error}")
    return 0 if well else 1


def _model(path: Path) -> str:
    classifier = Classifier(model_files.usable(path, print))
    wave = decode_golden(classifier.card.golden["wave"])
    began = time.perf_counter()
    row = classifier.probabilities_of_wave(wave)
    milliseconds = 1000 * (time.perf_counter() - began)
    best = classifier.labels[int(np.argmax(row))]
    return f"{classifier.card.name} reproduces its golden output ({best}), {milliseconds:.1f} ms a window"


def _sound() -> str:
    card = SoundCard()
    if not card.installed:
        raise _FaultError("PortAudio is not installed (on Debian and Ubuntu: apt install libportaudio2).")
    names = card.microphones()
    return f"PortAudio answers, {len(names)} microphone(s): {', '.join(names) or 'none is plugged in'}"


def _alarm() -> str:
    for name in ("alarm.wav", "health.wav"):
        if not np.abs(read_wave(paths.resource("sounds", name))).max() > 0.1:
            raise _FaultError(f"{name} cannot be heard.")
    return "both sounds are there"


def _storage() -> str:
    folder = paths.data_folder()
    try:
        replace_file(folder / "selftest.tmp", b"x")
        (folder / "selftest.tmp").unlink()
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            history = History(Path(scratch) / "history.sqlite")
            history.add_alert("crying", 0.0, 0.0, 0.0, 0.0)
            history.close()
    except (OSError, sqlite3.Error) as error:
        raise _FaultError(f"{folder} cannot be written: {error}.") from error
    return f"{folder} can be written"
