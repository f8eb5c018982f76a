"""How quickly `resnet_mel` is trained, beside the loop that most published notebooks have, and beside its arithmetic.

    python -m benchmarks.training DATA [--clips 192] [--threads 1]

The plain loop: for each batch, each clip is decoded and resampled by librosa, altered (librosa's own time stretch and
pitch shift, and noise), turned into a log-mel by librosa, then one step of the network. Ours: `trainer.fit`'s way, with
the same kinds of alteration as often. Both train the same network on the same clips, one after the other in one run, so
that their ratio says something whatever the machine does. The limit: steps alone, on features that are there already.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from trainer import augment
from trainer.__main__ import _keep_memory
from trainer.batches import Drawer, WindowMaker
from trainer.corpora import DataSet, Waves, closed, load, split
from trainer.networks import FAMILIES

BATCH = 32
ALTERED = 0.3
"""How often each of stretch, pitch and noise happens, in both."""


def plain_clip(path: Path, samples: int, rng: np.random.Generator, altered: float) -> np.ndarray:
    """One clip as a notebook does it: (64, frames)."""
    import librosa

    wave, rate = librosa.load(path, sr=16000)
    if rng.random() < altered:
        wave = librosa.effects.time_stretch(wave, rate=rng.uniform(0.8, 1.25))
    if rng.random() < altered:
        wave = librosa.effects.pitch_shift(wave, sr=rate, n_steps=rng.uniform(-2.5, 2.5))
    if rng.random() < altered:
        wave = wave + 0.01 * rng.standard_normal(wave.size).astype(np.float32)
    wave = librosa.util.fix_length(wave, size=samples)
    power = librosa.feature.melspectrogram(y=wave, sr=rate, n_fft=1024, hop_length=512, n_mels=64, center=False)
    return np.asarray(librosa.power_to_db(power), np.float32) * np.float32(0.23)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--clips", type=int, default=192)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--reuse", type=int, default=3)
    arguments = parser.parse_args()
    _keep_memory()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    family = FAMILIES["resnet_mel"]
    whole = load(arguments.data)
    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        waves = Waves(whole, Path(cache), codecs=False)
        decoding = time.perf_counter() - began
        data = split(DataSet(whole.root, tuple(closed(whole.clips, waves))))
        labels = data.labels
        network = family.network(labels).to(memory_format=torch.channels_last).train()
        optimiser = torch.optim.AdamW(network.parameters(), 1e-4)

        def step(features: torch.Tensor, truth: torch.Tensor, half: bool = False) -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                logits = network(features)
            loss = functional.cross_entropy(logits.float(), truth)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

        figures: dict[str, float] = {}
        clips = data.side("train")[: arguments.clips]
        truth = torch.tensor([labels.index(clip.spans[0].label) for clip in clips])
        samples = family.front.features.samples(family.front.window_frames)
        plain_clip(data.root / clips[0].path, samples, np.random.default_rng(0), 1.0)  # compiles what librosa compiles
        for name, altered in (("plain loop, as recorded", 0.0), ("plain loop, altered", ALTERED)):
            rng = np.random.default_rng(1)
            count = len(clips) if altered == 0 else max(BATCH, len(clips) // 4)
            began = time.perf_counter()
            for at in range(0, count - BATCH + 1, BATCH):
                rows = [plain_clip(data.root / clip.path, samples, rng, altered) for clip in clips[at : at + BATCH]]
                step(torch.from_numpy(np.stack(rows)), truth[at : at + BATCH])
            figures[name] = count // BATCH * BATCH / (time.perf_counter() - began)

        light = augment.strength_of(f"none,stretch={ALTERED},pitch={ALTERED},noise={ALTERED}")
        windows = 4 * arguments.clips // BATCH * BATCH
        for name, strength, half in (
            ("ours, as recorded", augment.PLAIN, False),
            ("ours, altered", light, False),
            ("ours, altered, bfloat16", light, True),
        ):
            maker = WindowMaker(clips, waves, labels, family.front, strength, 1)
            drawer = Drawer(maker, windows, workers=1)
            began = time.perf_counter()
            drawer.ahead(0)
            for pool in range(2):
                drawn = drawer.take(pool)
                if pool == 0:
                    drawer.ahead(1)
                features, targets = torch.from_numpy(drawn.mels), torch.from_numpy(drawn.targets).argmax(1)
                for _ in range(arguments.reuse):
                    for rows_of in torch.randperm(windows).split(BATCH):
                        step(features[rows_of].float(), targets[rows_of], half)
            figures[name] = 2 * arguments.reuse * windows / (time.perf_counter() - began)
            drawer.close()
        for name, half in (("arithmetic alone", False), ("arithmetic alone, bfloat16", True)):
            began = time.perf_counter()
            for _ in range(2):
                for rows_of in torch.randperm(windows).split(BATCH):
                    step(features[rows_of].float(), targets[rows_of], half)
            figures[name] = 2 * windows / (time.perf_counter() - began)
    print(f"decoding all {len(whole.clips)} clips, once: {decoding:.1f} s")
    for name, figure in figures.items():
        print(
            f"{name:28} {figure:7.1f} clips/s  {figure / figures['plain loop, altered']:6.1f} × plain, altered"
            f"  {figure / figures['plain loop, as recorded']:5.1f} × plain, as recorded"
        )


if __name__ == "__main__":
    main()
