"""Labelled spans of sound in strata, so that large corpora and long clips do not crowd out the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from trainer.data.dataset import Clip, Span
from trainer.errors import DataError

SHORTEST_EVENT = 0.40
"""Seconds of an event that a window must hold to carry its label. Less could not be recognised by anybody."""
HARD_KINDS = {"cat": 6.0, "animal": 4.0, "chirping_birds": 2.5, "rooster": 2.0, "dog_bark": 2.0, "siren": 1.5}
"""Kinds of background that are mistaken for crying, and how many times as often they are drawn for that."""

_GOOD_SHARES = {
    "hungry": 0.10,
    "pain": 0.08,
    "tired": 0.08,
    "sad": 0.14,
    "happy": 0.09,
    "natural": 0.09,
    "background": 0.42,
}
_OTHER_SHARE = 0.14


def label_shares(labels: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Return the share of windows for each label, (labels,), summing to one.

    Shares are equal, except for the shipped vocabulary, where they were tuned by experiment.
    """
    tuned = "background" in labels
    share = np.array([_GOOD_SHARES.get(name, _OTHER_SHARE) for name in labels] if tuned else [1.0] * len(labels))
    normalised: npt.NDArray[np.float64] = share / share.sum()
    return normalised


def contiguous_runs(clip: Clip) -> list[list[Span]]:
    """Group a clip's spans into runs without gaps. Within a run, everything that sounds is known."""
    runs: list[list[Span]] = []
    for span in clip.spans:
        if runs and span.start - runs[-1][-1].end < 0.01:
            runs[-1].append(span)
        else:
            runs.append([span])
    return runs


def sampling_strata(clips: Sequence[Clip]) -> dict[str, str]:
    """Map each clip's path to its sampling stratum.

    A stratum is a folder of a source: cats and rain of one corpus are separate strata, however many clips each has. A
    folder with a single group joins its source's stratum, or a corpus with twelve actors would outweigh all animals.
    """
    folders = {clip.path: f"{clip.source}/{clip.path.rsplit('/', 1)[0]}" for clip in clips}
    groups: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        groups[folders[clip.path]].add(clip.group)
    strata = {}
    for clip in clips:
        folder = folders[clip.path]
        strata[clip.path] = folder if len(groups[folder]) > 1 else clip.source
    return strata


class SpanStrata:
    """Draws labelled spans at random: by label, then stratum, group and span.

    Strata are weighted by the square root of their length, so that the largest corpus does not dominate. Within a
    stratum groups are equally likely, so that no baby counts for more than another. Raises DataError if a label has no
    span that is long enough.
    """

    def __init__(self, clips: Sequence[Clip], labels: tuple[str, ...], strata: Mapping[str, str]) -> None:
        items: dict[str, dict[str, dict[str, list[tuple[Clip, list[Span], Span]]]]] = {}
        for clip in clips:
            for run in contiguous_runs(clip):
                for span in run:
                    if span.end - span.start >= SHORTEST_EVENT or span.end - span.start >= clip.seconds() - 0.01:
                        by_stratum = items.setdefault(span.label, {})
                        by_group = by_stratum.setdefault(strata[clip.path], defaultdict(list))
                        by_group[clip.group].append((clip, run, span))
        lacking = [name for name in labels if name not in items]
        if lacking:
            raise DataError(f"There is no usable sound for {', '.join(lacking)}.")
        self._items = {
            name: [list(groups.values()) for groups in by_stratum.values()] for name, by_stratum in items.items()
        }
        self._shares = {}
        for name, by_stratum in items.items():
            length = [sum(s.end - s.start for g in groups.values() for _, _, s in g) for groups in by_stratum.values()]
            share = np.sqrt(np.minimum(length, 1e6))
            share *= [HARD_KINDS.get(stratum.rsplit("/", 1)[-1], 1.0) for stratum in by_stratum]
            self._shares[name] = share / share.sum()

    def __contains__(self, label: object) -> bool:
        return label in self._items

    def draw(self, rng: np.random.Generator, label: str) -> tuple[Clip, list[Span], Span]:
        """Return a clip, a run of its spans, and the span of `label` within that run."""
        groups = self._items[label][rng.choice(len(self._shares[label]), p=self._shares[label])]
        spans = groups[rng.integers(len(groups))]
        return spans[rng.integers(len(spans))]
