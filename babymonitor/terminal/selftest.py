"""`babymonitor selftest`: check everything that a night needs, and that training works; one line per check."""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from babymonitor.core import paths, training_pack
from babymonitor.core.history.history import History, HistoryError
from babymonitor.core.model.classifier import Classifier, ModelError, decode_golden
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import SAMPLE_RATE, AudioError
from babymonitor.core.whole_file import write_whole
from babymonitor.live import torch_conversion
from babymonitor.live.sound_card import SoundCard

_LONGEST_SECONDS = 600.0
"""A computer that needs longer for a tiny epoch is too slow for training."""
_REFUSED_STATUS = 2


class _FaultError(Exception):
    """A check failed; the message is a sentence for the person."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, help="another model file")
    parser.add_argument("--quick", action="store_true", help="leave the trainer out, which takes up to a minute")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 if all checks pass, 1 otherwise."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("model", lambda: _model(arguments.model or paths.default_model())),
        ("sound", _sound),
        ("alarm", _alarm),
        ("storage", _storage),
        ("channels", lambda: "none is set up: nothing leaves this computer"),
    ]
    if not arguments.quick:
        checks.append(("trainer", _trainer))
    all_passed = True
    for name, check in checks:
        try:
            print(f"ok    {name}: {check()}", flush=True)
        except (_FaultError, ModelError, AudioError, HistoryError) as error:
            all_passed = False
            print(f"FAIL  {name}: {error}")
    return 0 if all_passed else 1


def _model(path: Path) -> str:
    classifier = Classifier(torch_conversion.usable(path, print))
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
        write_whole(folder / "selftest.tmp", b"x")
        (folder / "selftest.tmp").unlink()
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            history = History(Path(scratch) / "history.sqlite")
            history.add_alert("crying", 0.0, 0.0, 0.0, 0.0)
            history.close()
    except (OSError, sqlite3.Error) as error:
        raise _FaultError(f"{folder} cannot be written: {error}.") from error
    return f"{folder} can be written"


def _trainer() -> str:
    """List the families and train a tiny epoch; without PyTorch, say how to get it."""
    status, answer, complaint = _ask_trainer("families", "--json")
    if status == _REFUSED_STATUS and not training_pack.is_installed():
        return f"not asked to train. {complaint}"
    if status:
        raise _FaultError(f"It does not answer: {complaint}")
    families = json.loads(answer)["families"]
    with tempfile.TemporaryDirectory(dir=paths.data_folder()) as scratch:
        folder = Path(scratch)
        _write_tiny_data(folder / "data")
        began = time.perf_counter()
        arguments = ["--family", "cnn_tiny", "--epochs", "1", "--epoch-windows", "16", "--batch", "8"]
        arguments += ["--workers", "0", "--threads", "1", "--json"]
        places = [
            "--data",
            str(folder / "data"),
            "--cache",
            str(folder / "cache"),
            "--output",
            str(folder / "model.onnx"),
        ]
        status, _, complaint = _ask_trainer("train", *arguments, *places)
        if status:
            raise _FaultError(f"It does not train: {complaint}")
        seconds = time.perf_counter() - began
        model = Classifier(folder / "model.onnx")
    labels = len(model.labels)
    return f"{len(families)} families; one tiny epoch in {seconds:.0f} s made a model that hears {labels} labels"


def _ask_trainer(*words: str) -> tuple[int, str, str]:
    """Run the trainer in a process of its own; returns exit status, standard output, last line of standard error."""
    command, environment = paths.program()
    try:
        done = subprocess.run(
            [*command, "trainer", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_LONGEST_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _FaultError(f"It does not answer: {error}.") from error
    return done.returncode, done.stdout, (done.stderr.strip().splitlines() or ["it says nothing."])[-1]


def _write_tiny_data(folder: Path) -> None:
    """Write a synthetic data set, two labels from six rooms, that any network can learn."""
    draw = np.random.default_rng(0)
    times = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    for room in range(6):
        noise = 0.05 * draw.standard_normal((2, len(times)))
        tone = 0.3 * np.sin(2 * np.pi * (400 + 40 * room) * times) * (np.sin(2 * np.pi * times) > 0)
        for label, wave in (("background", noise[0]), ("crying", noise[1] + tone)):
            place = folder / label / f"room-{room}"
            place.mkdir(parents=True)
            soundfile.write(place / "sound.wav", wave, SAMPLE_RATE, subtype="PCM_16")
