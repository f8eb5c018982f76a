"""Runs the program as a process, and writes sounds for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile


def babymonitor(*words: str | Path, bare: bool = False, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the program and wait for its end. bare: as on a machine without screen, microphone and sound server."""
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[1]))
    if bare:
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "XDG_RUNTIME_DIR", "ALSA_CONFIG_PATH"):
            environment.pop(name, None)
    command = [sys.executable, "-m", "babymonitor", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=250, **options)


def wav(path: Path, wave: np.ndarray, rate: int = 16000) -> Path:
    soundfile.write(path, wave, rate)
    return path


def loud_night() -> np.ndarray:
    """Return a minute of quiet with ten loud seconds from 20 s on, which the tiny model takes for crying."""
    generator = np.random.default_rng(0)
    wave = generator.standard_normal(60 * 16000) * 1e-3
    wave[20 * 16000 : 30 * 16000] += generator.standard_normal(160000) * 0.3
    return np.asarray(wave, np.float32)
