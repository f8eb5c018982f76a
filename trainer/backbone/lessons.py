"""Batches to learn from: what the student hears, and the teacher's answer to the same sound when it was clean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.audio.augment import rms
from trainer.backbone.answers import KeptAnswers, levelled
from trainer.backbone.corrections import Spans, corrected
from trainer.backbone.microphone import (
    SILENT,
    Hearing,
    NoiseSource,
    device,
    mixed,
    passed,
    recorded,
    room,
)
from trainer.backbone.sounds import HOP, SPEEDS, Strata, Timeline, cut
from trainer.backbone.tagger import BABY_CRY, SEGMENT
from trainer.data.dataset import Clip
from trainer.data.decoded_audio import DecodedAudio
from trainer.data.sound_kinds import CANDIDATES, CRY, kind_of, label_of

SILENCE = 494
"""The class "silence"."""
_HISTORY = 8000
"""Samples before a segment that still sound in a room: 0.5 s."""
_JITTER = 320
"""Samples that the student's segment may begin earlier or later than the one the teacher was asked about: 20 ms."""
_LOUD = 0.25
"""Of a clip's loudest segment: those 12 dB below it may be the breath between two cries."""
_BEDS = (
    *("music", "lullaby", "music_speech", "steady_noise", "noise", "nature", "vehicle", "household", "rain"),
    *("sea waves", "speech", "speech_babble", "picovoice_s2i adult_speech", "precise_community adult_speech"),
    *("emodb adult_speech", "ravdess adult_speech", "protosound adult_speech"),
)
"""Kinds that sound under others in a home: a television, music, people talking, household machines, weather."""
_VARIED = {CANDIDATES, CRY, "cat", "dog", "animal", "child_speech", "child_scream", "adult_vocal", "baby_laugh"}
_VARIED |= {"baby_babble", "baby_fuss", "baby_vocal_unsure", "baby_laugh_over_music", "siren", "alert"}


def speeds_of(clip: Clip) -> Sequence[float]:
    """Return the speeds at which a clip is learnt from: several for voices and animals, of which the data hold few."""
    return SPEEDS if label_of(clip) in _VARIED else SPEEDS[:1]


@dataclass(frozen=True, slots=True)
class LessonBatch:
    """waves: (B, 15,600). targets: (B, 521), probabilities."""

    waves: torch.Tensor
    targets: torch.Tensor


class Lessons:
    """LessonBatch number *n* depends on the seed and *n* alone, so that a training can go on where it was stopped."""

    def __init__(
        self,
        clips: Sequence[Clip],
        audio: DecodedAudio,
        answers: KeptAnswers,
        seed: int,
        crying: Spans,
        hearing: Hearing | None = None,
    ) -> None:
        self.strata = Strata(clips)
        self._audio, self._answers, self._seed, self._crying = audio, answers, seed, crying
        self._hearing = hearing or Hearing()
        self._noise = NoiseSource(seed)

    def batch(self, number: int, size: int) -> LessonBatch:
        """Return a batch of `size` segments."""
        rng = np.random.default_rng((self._seed, 2, number))
        pairs = [self._lesson(rng) for _ in range(size)]
        waves = np.stack([wave for wave, _ in pairs])
        targets = np.stack([target for _, target in pairs])
        return LessonBatch(torch.from_numpy(waves), torch.from_numpy(targets))

    def _lesson(self, rng: np.random.Generator) -> tuple[Wave, npt.NDArray[np.float32]]:
        hearing = self._hearing
        wave, target = self._drawn(rng, self._clip(rng))
        level_db = float(rng.uniform(-46.0, -12.0))
        if rng.random() < hearing.clean:
            return recorded(wave[_HISTORY:], rng, self._noise, hearing, level_db), target
        silent = rms(wave[_HISTORY:]) < SILENT
        wave = passed(wave, room(rng) if rng.random() < hearing.room else None, None)[_HISTORY:]
        overlaid = rng.random() < hearing.overlay
        if overlaid:
            bed = rng.random() < 0.5
            overlay, overlay_target = self._drawn(rng, self.strata.draw(rng, _BEDS if bed else ()))
            channel = device(rng, hearing) if rng.random() < 0.5 else None
            overlay = passed(overlay, room(rng) if rng.random() < 0.4 else None, channel)[_HISTORY:]
            # A cry far below another sound is inaudible, and having to answer to it would teach false alarms.
            wave = mixed(wave, overlay, float(rng.uniform(-3.0, 18.0 if bed else 8.0)))
            target = together(target, overlay_target)
        if rng.random() < hearing.noise * (0.4 if overlaid else 1.2):
            noise = self._noise.steady(rng, SEGMENT)
            if silent and not overlaid:
                # Noise alone is not silence.
                wave = noise
                target[SILENCE] = 0.0
            else:
                wave = mixed(wave, noise, float(rng.uniform(-6.0, 25.0)))
        wave = passed(wave, None, device(rng, hearing))
        return recorded(wave, rng, self._noise, hearing, level_db), target

    def _clip(self, rng: np.random.Generator) -> Clip:
        """Draw a clip of any kind; where crying is promised, mostly the more cry-like of two."""
        clip = self.strata.draw(rng)
        if label_of(clip) in (CANDIDATES, CRY) and rng.random() < 0.6:
            pair = (clip, self.strata.draw(rng, (CANDIDATES, CRY)))
            clip = max(pair, key=lambda clip: float(self._answers.of(clip.path, 1.0)[0][:, BABY_CRY].max()))
        return clip

    def _drawn(self, rng: np.random.Generator, clip: Clip) -> tuple[Wave, npt.NDArray[np.float32]]:
        """Cut a segment from a clip. Returns it after 8,000 samples of what came before, and the teacher's
        answer to it.

        The louder of two places in the clip is taken; where crying is promised, mostly the most cry-like of four.
        """
        speeds = speeds_of(clip)
        speed = speeds[int(rng.integers(len(speeds)))] if rng.random() < 0.6 else 1.0
        timeline = Timeline(self._audio.samples(clip.path), speed)
        answers, levels = self._answers.of(clip.path, speed)
        places = rng.integers(timeline.segments, size=4)
        if rng.random() < 0.6 and label_of(clip) in (CANDIDATES, CRY):
            place = int(places[answers[places, BABY_CRY].argmax()])
        else:
            place = int(places[:2][levels[places[:2]].argmax()])
        start = place * HOP + int(rng.integers(-_JITTER, _JITTER + 1))
        take = self._audio.takes(clip.path) - 1 if rng.random() < self._hearing.phone else 0
        wave = cut(self._audio, clip.path, timeline, start - _HISTORY, start + SEGMENT, take)
        gain = rms(levelled(wave[_HISTORY:], 0.1)) / max(rms(wave[_HISTORY:]), 1e-9)
        answer = answers[place].astype(np.float32)
        return wave * np.float32(gain), corrected(answer, kind_of(clip), self._is_crying(clip, timeline, place, levels))

    def _is_crying(self, clip: Clip, timeline: Timeline, place: int, levels: npt.NDArray[np.float32]) -> bool:
        """Whether a segment holds crying: as people labelled the clip, where it is loud; or as both witnesses say."""
        if label_of(clip) == CRY:
            return bool(levels[place] > _LOUD * levels.max())
        middle = ((place * HOP + SEGMENT / 2 - timeline.lead) * timeline.speed) / SAMPLE_RATE
        return any(start <= middle <= end for start, end in self._crying.get(clip.path, ()))


def together(target: npt.NDArray[np.float32], overlay: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the target for two sounds at once: of each class the greater probability; of silence the smaller."""
    both = np.maximum(target, overlay)
    both[..., SILENCE] = np.minimum(target[..., SILENCE], overlay[..., SILENCE])
    return both
