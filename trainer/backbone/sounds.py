"""The clips that a backbone learns from, and those left out to judge it by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.backbone.tagger import SEGMENT
from trainer.data.dataset import Clip, DataSet
from trainer.data.decoded_audio import DecodedAudio
from trainer.data.sound_kinds import CANDIDATES, CRY, kind_of, left_out
from trainer.errors import DataError

HOP = 3840
"""Samples from one segment of a clip to the next: 0.24 s."""
SPEEDS = (1.0, 0.86, 1.16)
"""A clip as it is, and slower and lower, faster and higher: other babies, other animals."""
_FEW_GROUPS = 4
"""Kinds with fewer groups are drawn less often, so that no recording is learnt by heart."""
_OFTEN = {"cat": 5.0, "child_speech": 3.0, "child_scream": 3.0, "adult_vocal": 3.0, "animal": 3.0, "household": 2.0}
"""How much more often than other kinds: those most easily mistaken for crying."""


@dataclass(frozen=True, slots=True)
class Sides:
    """learnt: clips that may be learnt from. judged: those left out, and those whose licence forbids learning."""

    learnt: tuple[Clip, ...]
    judged: tuple[Clip, ...]


def divide(clips: Sequence[Clip], audio: DecodedAudio, patterns: Sequence[str]) -> Sides:
    """Divide clips into those that are learnt from and those that judge.

    A copy of a clip that is left out is left out too, whatever it is called and whichever group it is in.
    """
    clips = [clip for clip in clips if clip.path in audio]
    paths = left_out(clips, patterns)
    excluded = paths | {clip.path for clip in clips if not clip.usable}
    contents = {audio.content(path) for path in excluded}
    judged = tuple(clip for clip in clips if clip.path in excluded)
    learnt = tuple(clip for clip in clips if audio.content(clip.path) not in contents)
    if not learnt:
        raise DataError("Everything was left out: there is nothing to learn from.")
    return Sides(learnt, judged)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The segments of a clip played at a speed; silence surrounds clips shorter than a segment."""

    samples: int
    """Of the clip as recorded."""
    speed: float = 1.0

    @property
    def lead(self) -> int:
        """Samples of silence before the clip, and as many after it, so that it can stand anywhere in a segment."""
        return max(0, SEGMENT - int(self.samples / self.speed))

    @property
    def segments(self) -> int:
        return 1 + (int(self.samples / self.speed) + 2 * self.lead - SEGMENT) // HOP


def cut(audio: DecodedAudio, path: str, timeline: Timeline, start: int, stop: int, take: int = 0) -> Wave:
    """Return samples [start, stop) of a timeline, (stop - start,), with silence before and after the clip."""
    speed, lead = timeline.speed, timeline.lead
    first, last = round((start - lead) * speed), round((stop - lead) * speed)
    inside = audio.read(path, max(first, 0), max(min(last, timeline.samples), 0), take)
    if inside.size < last - first:
        # A copy that went through a codec may be shorter, too.
        before = max(-first, 0)
        inside = np.pad(inside, (min(before, last - first), max(0, last - first - inside.size - before)))
        inside = inside[: last - first]
    if speed != 1.0:
        inside = soxr.resample(inside, SAMPLE_RATE * speed, SAMPLE_RATE, quality="LQ")
        inside = np.pad(inside[: stop - start], (0, max(0, stop - start - inside.size)))
    return np.asarray(inside, np.float32)


class Strata:
    """Clips by kind of sound, and how often each kind is drawn.

    crying: the share of draws that the recordings that promise crying and those that hold it have together.
    """

    def __init__(self, clips: Sequence[Clip], crying: float = 0.37) -> None:
        groups: dict[str, dict[str, list[Clip]]] = {}
        for clip in clips:
            groups.setdefault(kind_of(clip), {}).setdefault(clip.group, []).append(clip)
        self.kinds = sorted(groups)
        self._groups = [list(groups[kind].values()) for kind in self.kinds]
        weights = np.array([_OFTEN.get(kind, 1.0) * min(1.0, len(groups[kind]) / _FEW_GROUPS) for kind in self.kinds])
        cries = np.isin(self.kinds, (CANDIDATES, CRY))
        if cries.any() and not cries.all():
            weights[cries] *= crying / weights[cries].sum()
            weights[~cries] *= (1.0 - crying) / weights[~cries].sum()
        self.shares = weights / weights.sum()

    def draw(self, rng: np.random.Generator, kinds: Sequence[str] = ()) -> Clip:
        """Draw a kind by its share, then a group, then a clip. kinds: draw from these only, if the data hold any."""
        shares = self.shares
        if kinds:
            chosen = np.isin(self.kinds, kinds)
            shares = shares * chosen if chosen.any() else shares
        places = np.cumsum(shares)
        kind = min(int(np.searchsorted(places, rng.random() * places[-1], "right")), len(places) - 1)
        group = self._groups[kind][int(rng.integers(len(self._groups[kind])))]
        return group[int(rng.integers(len(group)))]


def decode(root: Path, clips: Sequence[Clip], cache: Path, codecs: bool) -> DecodedAudio:
    """Decode the clips of one folder; see `DecodedAudio`."""
    return DecodedAudio(DataSet((root,), tuple(clips)), cache, codecs)
