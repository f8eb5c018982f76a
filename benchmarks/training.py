"""How fast `resnet_mel` is trained, beside the loop of most published notebooks, and beside its arithmetic alone.

    python -m benchmarks.training DATA [--clips 192] [--threads 1] [--rounds 3]

The plain loop: for each batch, librosa decodes and resamples each clip, alters it (its own time stretch and pitch
shift, and noise) and computes a log-mel; then the network takes a step. Ours: the way of `trainer.training.loop`, with
the same alterations, equally often. Both train the same network on the same clips, in turns in a single run, so that
the ratio holds whatever else the machine does. The limit: steps alone, on features that are already in memory.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from trainer.audio import augment
from trainer.data.decoded_audio import DecodedAudio, trim_to_audio
from trainer.data.readers import load
from trainer.data.split import split
from trainer.networks import FAMILIES
from trainer.training.distributed import keep_memory
from trainer.windows.pool import WindowPrefetcher
from trainer.windows.sampler import WindowSampler

BATCH = 32
ALTERED = 0.3
"""How often each of stretch, pitch and noise is applied, on both sides."""
POOLS = 4
"""Pools of windows in a training; while the network learns from one, the other core draws the next."""


def plain_clip(path: Path, samples: int, rng: np.random.Generator, altered: float) -> np.ndarray:
    """Load and alter a clip as a notebook does: (64, frames)."""
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
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    keep_memory()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    family = FAMILIES["resnet_mel"]
    complete = load(arguments.data)
    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        audio = DecodedAudio(complete, Path(cache), codecs=False)
        decoding = time.perf_counter() - began
        data = split(replace(complete, clips=tuple(trim_to_audio(complete.clips, audio))))
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

        clips = data.side("train")[: arguments.clips // BATCH * BATCH]
        truth = torch.tensor([labels.index(clip.spans[0].label) for clip in clips])
        samples = family.front.features.samples(family.front.window_frames)
        windows = 4 * len(clips)
        light = augment.strength_of(f"none,stretch={ALTERED},pitch={ALTERED},noise={ALTERED}")

        def plain(altered: float) -> int:
            rng = np.random.default_rng(1)
            for start in range(0, len(clips), BATCH):
                batch = clips[start : start + BATCH]
                rows = [plain_clip(data.file(clip.path), samples, rng, altered) for clip in batch]
                step(torch.from_numpy(np.stack(rows)), truth[start : start + BATCH])
            return len(clips)

        def epoch(features: torch.Tensor, targets: torch.Tensor, half: bool) -> int:
            for rows in torch.randperm(len(features)).split(BATCH):
                step(features[rows].float(), targets[rows], half)
            return len(features)

        def ours(strength: augment.Strength, half: bool) -> int:
            seen = 0
            with closing(
                WindowPrefetcher(WindowSampler(clips, audio, labels, family.front, strength, 1), windows, 1)
            ) as prefetcher:
                prefetcher.ahead(0)
                for pool in range(POOLS):
                    drawn = prefetcher.take(pool)
                    if pool + 1 < POOLS:
                        prefetcher.ahead(pool + 1)
                    features, targets = torch.from_numpy(drawn.mels), torch.from_numpy(drawn.targets).argmax(1)
                    seen += sum(epoch(features, targets, half) for _ in range(arguments.reuse))
            return seen

        with closing(
            WindowPrefetcher(WindowSampler(clips, audio, labels, family.front, light, 1), windows, 0)
        ) as prefetcher:
            pool = prefetcher.take(0)
        in_memory = torch.from_numpy(pool.mels), torch.from_numpy(pool.targets).argmax(1)
        ways: dict[str, Callable[[], int]] = {
            "plain loop, as recorded": lambda: plain(0.0),
            "plain loop, altered": lambda: plain(ALTERED),
            "ours, as recorded": lambda: ours(augment.PLAIN, False),
            "ours, altered": lambda: ours(light, False),
            "ours, altered, bfloat16": lambda: ours(light, True),
            "arithmetic alone": lambda: epoch(*in_memory, False),
            "arithmetic alone, bfloat16": lambda: epoch(*in_memory, True),
        }
        plain(1.0)  # librosa and numba compile at first use, torch chooses its kernels
        for half in (False, True):
            epoch(*in_memory, half)
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(arguments.rounds):
            for name, way in ways.items():
                began = time.perf_counter()
                seen = way()
                rates[name].append(seen / (time.perf_counter() - began))
    print(f"decoding all {len(complete.clips)} clips, once: {decoding:.1f} s; load {os.getloadavg()[0]:.1f}")
    for name, round_rates in rates.items():
        over = {
            kind: statistics.median(a / b for a, b in zip(round_rates, rates[f"plain loop, {kind}"], strict=True))
            for kind in ("altered", "as recorded")
        }
        print(
            f"{name:28} {statistics.median(round_rates):7.1f} clips/s  {over['altered']:6.1f} × plain, altered"
            f"  {over['as recorded']:6.1f} × plain, as recorded"
        )


if __name__ == "__main__":
    main()
