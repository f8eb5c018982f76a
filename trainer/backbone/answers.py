"""The teacher's answers to clean sound, computed once and stored on disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from babymonitor.core.sound.wave import Wave
from trainer.audio.augment import rms
from trainer.backbone.sounds import HOP, Timeline, cut
from trainer.backbone.tagger import SEGMENT, SoundTagger, patches_of
from trainer.data.decoded_audio import DecodedAudio

Answers = npt.NDArray[np.float16]
Ask = Callable[[torch.Tensor], torch.Tensor]
"""(B, 15,600) → (B, 521): the probability of each class."""

SHIFTS_AND_LEVELS = ((-720, 0.07), (-240, 0.14), (240, 0.07), (720, 0.14))
"""The teacher hears each segment four times, 45 ms earlier to 45 ms later, at -23 and -17 dB. The target is the mean.

A shift of 10 ms, which nobody notices, can change a probability of YAMNet's by half; the mean is steadier.
"""
_BATCH = 64
_LOUDEST_GAIN = 30.0


def levelled(wave: Wave, level: float) -> Wave:
    """Scale to a root mean square of `level`, without clipping, and by thirty at most."""
    peak = float(np.abs(wave).max(initial=0.0))
    return wave * np.float32(min(level / (rms(wave) + 1e-6), 1.0 / (peak + 1e-6), _LOUDEST_GAIN))


def teacher(tagger: SoundTagger, bfloat16: bool = False) -> Ask:
    """Freeze a network and return the function that asks it.

    bfloat16: changes the answers a tenth as much as a shift of 10 ms does.
    """
    tagger.eval().requires_grad_(False)

    @torch.no_grad()
    def ask(waves: torch.Tensor) -> torch.Tensor:
        patches = patches_of(waves)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = tagger(patches)
        return torch.sigmoid(logits.float())

    return ask


class KeptAnswers:
    """The teacher's answers for complete clips: one file per clip and speed, named by the clip's content.

    The teacher is asked about a clip when it is first drawn, so that training begins at once.

    identity: of the teacher; answers of another are not taken for its own.
    """

    def __init__(self, audio: DecodedAudio, folder: Path, ask: Ask, identity: str) -> None:
        self._audio, self._ask = audio, ask
        settings = hashlib.sha256(repr((identity, HOP, SHIFTS_AND_LEVELS, 1)).encode()).hexdigest()[:12]
        self._folder = folder / f"answers-{settings}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._known: dict[tuple[str, float], tuple[Answers, npt.NDArray[np.float32]]] = {}

    def of(self, path: str, speed: float) -> tuple[Answers, npt.NDArray[np.float32]]:
        """(segments, 521) probabilities and (segments,) levels (root mean square) of a clip at a speed."""
        known = self._known.get((path, speed))
        if known is None:
            file = self._folder / f"{self._audio.content(path)[:24]}-{speed:g}.npz"
            if file.is_file():
                with np.load(file) as stored:
                    known = stored["answers"], stored["levels"]
            else:
                known = self._asked(path, speed)
                partial = file.with_suffix(f".{os.getpid()}.part")
                with partial.open("wb") as stream:
                    np.savez(stream, answers=known[0], levels=known[1])
                partial.replace(file)
            self._known[path, speed] = known
        return known

    def _asked(self, path: str, speed: float) -> tuple[Answers, npt.NDArray[np.float32]]:
        timeline = Timeline(self._audio.samples(path), speed)
        wave = cut(self._audio, path, timeline, 0, SEGMENT + (timeline.segments - 1) * HOP)
        starts = range(0, timeline.segments * HOP, HOP)
        levels = np.array([rms(wave[start : start + SEGMENT]) for start in starts], np.float32)
        segments = []
        for start in starts:
            for shift, level in SHIFTS_AND_LEVELS:
                place = int(np.clip(start + shift, 0, wave.size - SEGMENT))
                segments.append(levelled(wave[place : place + SEGMENT], level))
        answers = torch.cat(
            [
                self._ask(torch.from_numpy(np.stack(segments[first : first + _BATCH])))
                for first in range(0, len(segments), _BATCH)
            ]
        )
        mean = answers.reshape(timeline.segments, len(SHIFTS_AND_LEVELS), -1).mean(dim=1)
        return mean.numpy().astype(np.float16), levels
