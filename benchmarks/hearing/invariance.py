"""The same sound, the same answer: how sampling rate, loudness, MP3, mains hum and rooms change a clip's score.

Every clip is heard unaltered, through a file at 16 kHz and the app's own decoding, and once under each condition.
Reported is by how much its score changes, and whether its verdict at the listener's start threshold flips.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import soxr
from scipy import signal

from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from benchmarks.hearing.clips import scorings, share_of
from benchmarks.hearing.material import Item, Material, rng_of, spread
from benchmarks.measurement import note
from trainer.audio.augment import active_rms, room_response
from trainer.audio.phone_codecs import through_codec
from trainer.evaluation.answer_cache import AnswerCache
from trainer.evaluation.listeners import Listener
from trainer.evaluation.metrics import ClusterBootstrap, rounded

TOLERANCE_CHANGE = 0.05
TOLERANCE_FLIPS = 0.05
"""The answer counts as the same if scores change by no more than this on average, and no larger share of verdicts
flips."""
HUM_DB = 10.0
LONGEST_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Condition:
    """One way to alter a clip. alter: (clip's path, its sound (samples,)) → (samples,)."""

    name: str
    alter: Callable[[str, Wave], Wave]


def as_file(wave: Wave, rate: int) -> Wave:
    """A clip written as 16-bit WAV at this rate, and read back by the app."""
    import soundfile

    resampled = soxr.resample(wave, SAMPLE_RATE, rate) if rate != SAMPLE_RATE else wave
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copy.wav"
        soundfile.write(path, np.clip(resampled, -1, 1), rate, subtype="PCM_16")
        return read_wave(path)


def louder(wave: Wave, gain_db: float) -> Wave:
    """A change of volume in 16 bits, clipped at full scale as by a microphone."""
    return np.asarray(np.clip(np.round(wave * (32767 * 10 ** (gain_db / 20))), -32768, 32767) / 32767, np.float32)


def with_hum(wave: Wave, mains_hz: float) -> Wave:
    """Add mains hum and its harmonics up to 1 kHz, 10 dB below the clip's loud parts; each harmonic has half the power
    of the one before.
    """
    time = np.arange(wave.size) / SAMPLE_RATE
    hum = np.zeros(wave.size)
    for harmonic in range(1, int(1000 // mains_hz) + 1):
        hum += 2 ** (-(harmonic - 1) / 2) * np.sin(2 * np.pi * mains_hz * harmonic * time + harmonic)
    gain = active_rms(wave) * 10 ** (-HUM_DB / 20) / max(float(np.sqrt(np.mean(hum**2))), 1e-9)
    return np.asarray(np.clip(wave + gain * hum, -1, 1), np.float32)


def in_room(wave: Wave, name: str, tail_db: tuple[float, float]) -> Wave:
    """The clip in a synthetic room of its own, as loud as before."""
    out = signal.fftconvolve(wave, room_response(rng_of(name, "room"), tail_db))[: wave.size]
    out *= active_rms(wave) / max(active_rms(np.asarray(out, np.float32)), 1e-9)
    return np.asarray(np.clip(out, -1, 1), np.float32)


UNALTERED = Condition("16 kHz copy", lambda name, wave: as_file(wave, 16_000))
CONDITIONS = (
    Condition("8 kHz copy", lambda name, wave: as_file(wave, 8_000)),
    Condition("48 kHz copy", lambda name, wave: as_file(wave, 48_000)),
    Condition("−20 dB", lambda name, wave: louder(wave, -20.0)),
    Condition("+20 dB, clipped", lambda name, wave: louder(wave, 20.0)),
    Condition("MP3, 64 kbit/s", lambda name, wave: through_codec(wave, "mp3", "libmp3lame", 16_000, 64_000)),
    Condition("hum of 50 Hz", lambda name, wave: with_hum(wave, 50.0)),
    Condition("hum of 60 Hz", lambda name, wave: with_hum(wave, 60.0)),
    Condition("near, in a room", lambda name, wave: in_room(wave, name, (-15.0, -8.0))),
    Condition("far, across a room", lambda name, wave: in_room(wave, name, (0.0, 6.0))),
)


def measure(cache: AnswerCache, material: Material, listeners: Sequence[Listener], most: int) -> dict[str, Any]:
    """The tables of all listeners. most: clips, half of them cries as far as there are enough."""
    short = LONGEST_SECONDS * SAMPLE_RATE
    cries, others = (
        [item for item in candidates if material.waves.samples(item.path) <= short]
        for candidates in (material.cries, [*material.others, *material.foreign])
    )
    cries = spread(cries, most // 2)
    items = [*cries, *spread(others, most - len(cries))]
    listener_scorings = scorings(listeners)
    before = _scores(cache, material, items, listeners, UNALTERED)
    positive = np.array([item.cries for item in items])
    groups = np.array([item.group for item in items])
    bootstrap = ClusterBootstrap(groups)
    report: dict[str, Any] = {
        "clips": len(items),
        "cries": int(positive.sum()),
        "groups": bootstrap.groups,
        "tolerance": {"mean_change": TOLERANCE_CHANGE, "flips": TOLERANCE_FLIPS},
        "left_out": [],
        "listeners": {},
    }
    after = {}
    for condition in CONDITIONS:
        try:
            after[condition.name] = _scores(cache, material, items, listeners, condition)
        except (av.FFmpegError, ValueError) as error:  # an FFmpeg without the encoder
            note(f"{condition.name} is left out: {error}.")
            report["left_out"].append(condition.name)
    every = np.ones(len(items), bool)
    for scoring in listener_scorings:
        start, name = scoring.listener.rules.start_threshold, scoring.listener.name
        first = scoring.of(before[name])
        rows = [{"name": UNALTERED.name, **_raised(bootstrap, groups, first >= start, positive)}]
        for condition_name, answers in after.items():
            scores = scoring.of(answers[name])
            change = np.abs(scores - first)
            flips = share_of(bootstrap, groups, (scores >= start) != (first >= start), every)
            sums = bootstrap.sums(np.stack((change, every.astype(float)), 1))
            mean = bootstrap.estimate(sums[:, 0] / np.maximum(sums[:, 1], 1e-9))
            within = float(change.mean()) <= TOLERANCE_CHANGE and (flips["value"] or 0) <= TOLERANCE_FLIPS
            rows.append(
                {
                    "name": condition_name,
                    "mean_change": mean,
                    "p95_change": rounded(np.percentile(change, 95)),
                    "flips": flips,
                    "within": within,
                    **_raised(bootstrap, groups, scores >= start, positive),
                }
            )
        report["listeners"][name] = {"score": scoring.name, "start": start, "rows": rows}
    return report


def _scores(
    cache: AnswerCache, material: Material, items: Sequence[Item], listeners: Sequence[Listener], condition: Condition
) -> Any:
    def sound_of(item: Item) -> Any:
        return material.sound(item, f"invariance 1 {condition.name}", lambda wave: condition.alter(item.path, wave))

    return cache.scores(f"invariance {condition.name}", [sound_of(item) for item in items], listeners)


def _raised(bootstrap: ClusterBootstrap, groups: Any, raised: Any, positive: Any) -> dict[str, Any]:
    return {
        "cries_found": share_of(bootstrap, groups, raised, positive),
        "others_raised": share_of(bootstrap, groups, raised, ~positive),
    }
