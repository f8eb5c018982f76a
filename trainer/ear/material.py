"""What evidence over time is learnt from: composed nights and clips, as the network hears them window by window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from babymonitor.core.labels import label
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.replay import replay_windows
from babymonitor.core.model.scorer import Scorer
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.data.dataset import Clip
from trainer.evaluation.night_composer import ComposedNight
from trainer.evaluation.night_stock import BACKGROUNDS, Stock

Floats = npt.NDArray[np.float32]

_HEARD_AFTER = 0.35
"""Seconds of crying before it can be asked of a window to know it."""
_STILL_CRYING = 0.2
_FADES_FOR = 5.0
"""Seconds after crying in which evidence may still be there: they are asked nothing of."""
UNASKED = -1
EPISODES_PER_HOUR = 40.0


@dataclass(frozen=True, slots=True)
class HeardSound:
    """One sound as the network heard it.

    rows: (windows, columns) as evidence takes them. crying: (windows,) 1 where it cries, 0 where not, `UNASKED`
    between. ends: (windows,) the sample after each window. kind: of night or clip. group: of the clip; "" for a night.
    """

    rows: Floats
    crying: npt.NDArray[np.int8]
    ends: npt.NDArray[np.int64]
    kind: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class NightPlan:
    """A night to compose; see `ComposedNight`. background: the name of one of `BACKGROUNDS`."""

    background: str
    hours: float
    seed: int


_worker: tuple[Classifier, Stock] | None = None


def _set_up(model: Path, make_stock: Callable[[], Stock]) -> None:
    global _worker
    _worker = Classifier(model), make_stock()


def heard_nights(
    model: Path, make_stock: Callable[[], Stock], plans: Sequence[NightPlan], processes: int
) -> Iterator[HeardSound]:
    """Compose nights and have them heard, several at a time.

    model: a file with evidence, whatever its weights: it decides what the network is asked. make_stock: called once in
    each process.
    """
    with ProcessPoolExecutor(processes, initializer=_set_up, initargs=(model, make_stock)) as pool:
        yield from pool.map(_heard_night, plans)


def _heard_night(plan: NightPlan) -> HeardSound:
    assert _worker is not None
    classifier, stock = _worker
    background = next(background for background in BACKGROUNDS if background.name == plan.background)
    night = ComposedNight(background, stock, plan.hours, plan.seed, per_hour=EPISODES_PER_HOUR)
    rows, ends = hear(classifier, night.blocks())
    crying = np.zeros(len(ends), np.int8)
    for episode in night.episodes:
        _mark(crying, ends, episode.onset / SAMPLE_RATE, episode.end / SAMPLE_RATE)
    return HeardSound(rows, crying, ends, plan.background)


def hear(classifier: Classifier, blocks: Iterable[Wave]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """What a file with evidence heard in a sound: (windows, columns), and the sample after each window (windows,)."""
    scorer = Scorer(classifier)
    rows, ends = [], []
    for window in replay_windows(blocks, classifier.card):
        scorer.score(window)
        rows.append(scorer.newest)
        ends.append(window.end_sample)
    columns = 1 + len(classifier.card.sounds)
    return np.array(rows, np.float32).reshape(-1, columns), np.array(ends, np.int64)


def heard_clip(classifier: Classifier, clip: Clip, wave: Wave) -> HeardSound | None:
    """A clip by itself, (samples,), with the stretches that its labels name; None for one too short to be heard."""
    rows, ends = hear(classifier, (wave,))
    if not len(ends):
        return None
    crying = np.full(len(ends), UNASKED, np.int8)
    seconds = ends / SAMPLE_RATE
    for span in clip.spans:
        if not label(span.label).crying:
            # A window reaches back a second: whatever was there before must have gone.
            crying[(seconds >= span.start + 1.0) & (seconds <= span.end)] = 0
    if clip.spans and not any(label(span.label).crying for span in clip.spans):
        first = min(span.start for span in clip.spans)
        crying[(seconds <= first + 1.0) & (first == 0.0)] = 0
    for span in clip.spans:
        if label(span.label).crying:
            _mark(crying, ends, span.start, min(span.end, wave.size / SAMPLE_RATE))
    return HeardSound(rows, crying, ends, "clip", clip.group)


def _mark(crying: npt.NDArray[np.int8], ends: npt.NDArray[np.int64], onset: float, end: float) -> None:
    """Mark a stretch of crying, in seconds, in the windows that could know."""
    seconds = ends / SAMPLE_RATE
    crying[(seconds >= onset) & (seconds < onset + _HEARD_AFTER)] = UNASKED
    crying[(seconds > end + _STILL_CRYING) & (seconds <= end + _FADES_FOR)] = UNASKED
    crying[(seconds >= onset + _HEARD_AFTER) & (seconds <= end + _STILL_CRYING)] = 1
