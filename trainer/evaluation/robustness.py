"""How a model copes with noise, other voices, music, codecs, narrow-band devices and volume."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import soxr

from babymonitor.core.labels import label, two_sided
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.audio import synthetic
from trainer.audio.augment import add, rms
from trainer.audio.phone_codecs import through_codec
from trainer.data.dataset import Clip
from trainer.data.decoded_audio import DecodedAudio
from trainer.evaluation.judgements import Judgements, judge

SNRS_DB = (20.0, 10.0, 0.0)
LONGEST_SECONDS = 60.0
_TALKERS = 4
_WINDOWS_PER_SPAN = 3
_ROUNDS = 300

Alteration = Callable[[np.random.Generator, Clip, Wave], Wave]


@dataclass(frozen=True, slots=True)
class Condition:
    """One way to alter a clip.

    kind: conditions of one kind form a line of the plot. level: SNR in dB over what is mixed in; None for no mixing.
    """

    name: str
    kind: str
    level: float | None
    alter: Alteration


class _AlteredWaves(DecodedAudio):
    """The same clips as they sound under one condition."""

    def __init__(self, waves: DecodedAudio, clips: Sequence[Clip], condition: Condition, seed: int) -> None:
        self._takes = waves._takes
        self._waves, self._condition, self._seed = waves, condition, seed
        self._clips = {clip.path: clip for clip in clips}
        self._last: tuple[str, Wave] = ("", np.zeros(0, np.float32))

    def read(self, path: str, start: int = 0, stop: int | None = None, take: int = 0) -> Wave:
        if self._last[0] != path:
            rng = np.random.default_rng([self._seed, zlib.crc32(path.encode())])
            wave = self._waves.read(path, take=take)
            self._last = (path, self._condition.alter(rng, self._clips[path], wave))
        return self._last[1][start:stop]


def robustness(
    classifier: Classifier,
    clips: Sequence[Clip],
    waves: DecodedAudio,
    labels: Sequence[str] = (),
    most: int = 100,
    seed: int = 0,
) -> dict[str, Any]:
    """Balanced accuracy by clip under every condition and how much it loses, as plain values fit for JSON.

    Where there are cries, also the share of them found, and of the others raised, at the model's own start threshold.
    most: clips, the same under every condition. A condition that cannot be made here (an FFmpeg without the encoder)
    is left out and named in ``about``.
    """
    labels = tuple(labels) or classifier.labels
    chosen = choose_clips(clips, waves, most, seed)
    about = "Music is synthetic; levels are those of the clip's loud parts over what is mixed in. "
    if two_sided(labels):
        about += f"Chatter is {_TALKERS} synthetic voices. "
    else:
        about += f"Chatter is {_TALKERS} clips of other groups at once. "
    about += "Samples beyond full scale are clipped, as in a microphone."
    entries: list[dict[str, Any]] = []
    for condition in conditions(chosen, waves, labels):
        try:
            judged = judge(classifier, chosen, _AlteredWaves(waves, chosen, condition, seed), labels, _WINDOWS_PER_SPAN)
        except (av.FFmpegError, ValueError) as error:
            about += f" {condition.name} was left out: {error}."
            continue
        figures = judged.by_clip(_ROUNDS) or judged.by_window(_ROUNDS)
        accuracy = figures["balanced_accuracy"]
        first = entries[0]["balanced_accuracy"]["value"] if entries else None
        cries_found, others_raised = _alert_shares(classifier, judged)
        entries.append(
            {
                "name": condition.name,
                "kind": condition.kind,
                "level": condition.level,
                "balanced_accuracy": accuracy,
                "lost": None if first is None else round(first - accuracy["value"], 4),
                "cries_found": cries_found,
                "others_raised": others_raised,
            }
        )
    groups = len({clip.group for clip in chosen})
    return {"clips": len(chosen), "groups": groups, "seed": seed, "about": about, "conditions": entries}


def choose_clips(clips: Sequence[Clip], waves: DecodedAudio, most: int, seed: int) -> list[Clip]:
    """Draw at most `most` clips, label by label in turn so that every label occurs.

    Clips of more than a minute are drawn only where there are no others.
    """
    short = [clip for clip in clips if waves.samples(clip.path) <= LONGEST_SECONDS * SAMPLE_RATE] or list(clips)
    rng = np.random.default_rng(seed)
    of_label: dict[str, list[Clip]] = {}
    for index in rng.permutation(len(short)):
        clip = short[index]
        longest = max({span.label for span in clip.spans}, key=clip.seconds)
        of_label.setdefault(longest, []).append(clip)
    turns = sorted(
        ((turn, name, clip) for name, members in of_label.items() for turn, clip in enumerate(members)),
        key=lambda turn: turn[:2],
    )
    return [clip for _, _, clip in turns[:most]]


def conditions(clips: Sequence[Clip], waves: DecodedAudio, labels: Sequence[str]) -> list[Condition]:
    """All conditions, the clean sound first."""

    def white(rng: np.random.Generator, clip: Clip, size: int) -> Wave:
        return synthetic.coloured(rng, size, 0.0)

    def music(rng: np.random.Generator, clip: Clip, size: int) -> Wave:
        return synthetic.tones(rng, size) + synthetic.tones(rng, size)

    def chatter(rng: np.random.Generator, clip: Clip, size: int) -> Wave:
        others = [] if two_sided(labels) else [candidate for candidate in clips if candidate.group != clip.group]
        total = np.zeros(size, np.float32)
        for _ in range(_TALKERS):
            if others:
                voice = waves.read(others[int(rng.integers(len(others)))].path)
                voice = np.roll(np.resize(voice, size), int(rng.integers(size)))
            else:
                voice = synthetic.voice_like(rng, size)
            total += voice / np.float32(max(rms(voice), 1e-6))
        return total

    def mixed(under: Callable[[np.random.Generator, Clip, int], Wave], snr_db: float) -> Alteration:
        return lambda rng, clip, wave: _fitted(add(wave, under(rng, clip, wave.size), snr_db))

    altered = [Condition("clean", "clean", None, lambda rng, clip, wave: wave)]
    for name, under in (("white noise", white), ("chatter", chatter), ("music", music)):
        altered += [Condition(f"{name}, {snr:g} dB", name, snr, mixed(under, snr)) for snr in SNRS_DB]
    for kilobits in (128, 64):
        altered.append(Condition(f"MP3, {kilobits} kbit/s", "MP3", None, _mp3(1000 * kilobits)))
    altered.append(Condition("sampled at 8 kHz", "8 kHz", None, lambda rng, clip, wave: _at_8_khz(wave)))
    for gain_db in (-20, 20):
        name = f"{gain_db:+d} dB of volume".replace("-", "−")
        altered.append(Condition(name, "volume", None, _louder(gain_db)))
    return altered


def _fitted(wave: Wave) -> Wave:
    """Turn a wave down where it would exceed full scale."""
    return np.asarray(wave / max(1.0, float(np.abs(wave).max(initial=0))), np.float32)


def _mp3(bits_per_second: int) -> Alteration:
    return lambda rng, clip, wave: through_codec(wave, "mp3", "libmp3lame", SAMPLE_RATE, bits_per_second)


def _at_8_khz(wave: Wave) -> Wave:
    back = soxr.resample(soxr.resample(wave, SAMPLE_RATE, 8000), 8000, SAMPLE_RATE)[: wave.size]
    return np.pad(np.asarray(back, np.float32), (0, wave.size - back.size))


def _louder(gain_db: float) -> Alteration:
    """A change of volume in 16 bits, clipped at full scale."""
    factor = np.float32(32767 * 10 ** (gain_db / 20))
    return lambda rng, clip, wave: np.asarray(np.clip(np.round(wave * factor), -32768, 32767) / 32767, np.float32)


def _alert_shares(classifier: Classifier, judged: Judgements) -> tuple[float | None, float | None]:
    """The shares of clips with a cry and of those without whose highest window reaches the start threshold."""
    crying = np.array([label(name).crying for name in judged.labels])
    if not two_sided(judged.labels) or not crying[judged.truth].any():
        return None, None
    names, member = np.unique(judged.clips, return_inverse=True)
    highest, is_cry = np.zeros(len(names)), np.zeros(len(names), bool)
    np.maximum.at(highest, member, judged.rows[:, crying].sum(1))
    np.logical_or.at(is_cry, member, crying[judged.truth])
    raised = highest >= classifier.card.thresholds["start"]
    return round(float(raised[is_cry].mean()), 4), None if is_cry.all() else round(float(raised[~is_cry].mean()), 4)
