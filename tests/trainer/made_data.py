"""A synthetic data set, small enough to train on in seconds."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from trainer.audio import synthetic

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
DEFAULT_MODEL = REPOSITORY / "models" / "default.onnx"
GROUPS = 4


def make_data_set(root: Path, seconds: float = 2.2) -> Path:
    """Crying, babble-like tones and noises: `GROUPS` groups of two clips per label, with a manifest."""
    rng = np.random.default_rng(5)
    samples = int(seconds * 16000)
    makers = {"crying": synthetic.cry, "babbling": synthetic.tones, "background": synthetic.noise}
    rows = []
    for label, maker in makers.items():
        for group in range(GROUPS):
            for take in range(2):
                path = f"{label}/{group}-{take}.wav"
                (root / label).mkdir(parents=True, exist_ok=True)
                soundfile.write(root / path, maker(rng, samples), 16000)
                rows.append({"path": path, "label": label, "group": f"{label}-{group}"})
    write_manifest(root, rows)
    return root


def make_library(root: Path) -> Path:
    """A baby who cries low for one reason and high for another, and an owl: three recordings of each."""
    rng = np.random.default_rng(3)
    low, high, owl = (rng.uniform(*pitch) for pitch in ((0.80, 0.82), (1.3, 1.32), (420, 430)))
    for group in range(3):
        for take in range(2):
            for label, speed in (("hungry", low), ("pain", high)):
                wave = synthetic.cry(rng, 48000)
                positions = np.arange(0, wave.size - 1, speed)
                write_sound(
                    root / label / f"recording-{group}" / f"{take}.flac", np.interp(positions, range(wave.size), wave)
                )
            time = np.arange(32000) / 16000
            hoot = 0.3 * np.sin(2 * np.pi * owl * time) * (np.sin(2 * np.pi * time) > 0)
            write_sound(root / "owl" / f"night-2026-11-{group + 10}" / f"{take}.flac", hoot)
    return root


def write_sound(path: Path, wave: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.asarray(wave, np.float32), 16000)


def write_manifest(root: Path, rows: list[dict[str, str]]) -> None:
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_manifest(root: Path) -> list[dict[str, str]]:
    with (root / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
