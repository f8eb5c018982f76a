"""A synthetic data set, small enough to train on in seconds."""

from __future__ import annotations

import csv
from pathlib import Path

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


def write_manifest(root: Path, rows: list[dict[str, str]]) -> None:
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_manifest(root: Path) -> list[dict[str, str]]:
    with (root / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
