"""Unaltered windows on a fixed grid, for calibration and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from babymonitor.core.labels import label
from babymonitor.core.model.features import fit_frames, front_end
from babymonitor.core.sound.wave import SAMPLE_RATE
from trainer.data.dataset import Clip
from trainer.data.decoded_audio import DecodedAudio
from trainer.errors import DataError
from trainer.networks import Front
from trainer.windows.strata import SHORTEST_EVENT, contiguous_runs


@dataclass(frozen=True, slots=True)
class Windows:
    """Evaluation windows: mels (N, rows, frames); index of the label, group and path of the clip, each (N,)."""

    mels: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    groups: npt.NDArray[np.str_]
    clips: npt.NDArray[np.str_]


def fixed_windows(
    clips: Sequence[Clip], audio: DecodedAudio, labels: tuple[str, ...], front: Front, per_span: int = 6
) -> Windows:
    """Cut windows on a grid over every span, at most `per_span` from each. Raises DataError if there are none."""
    samples = front.features.samples(front.window_frames)
    window = samples / SAMPLE_RATE
    mels, targets, groups, names = [], [], [], []
    for clip in clips:
        for run in contiguous_runs(clip):
            for span in run:
                if span.label not in labels or span.end - span.start < min(SHORTEST_EVENT, clip.seconds() - 0.01):
                    continue
                low, high = (span.start, span.end) if not label(span.label).crying else (run[0].start, run[-1].end)
                first = min(max(low, span.start + SHORTEST_EVENT - window), max(low, high - window))
                last = max(first, min(high - window, span.end - SHORTEST_EVENT))
                count = int(np.clip((last - first) // 0.768 + 1, 1, per_span))
                for start in np.linspace(first, last, count):
                    begin = int(start * SAMPLE_RATE)
                    stop = min(int(high * SAMPLE_RATE), begin + samples)
                    wave = audio.read(clip.path, begin, stop)
                    if wave.size < front.features.n_fft:
                        continue
                    mels.append(fit_frames(front_end(wave, front.features), front.window_frames))
                    targets.append(labels.index(span.label))
                    groups.append(clip.group)
                    names.append(clip.path)
    if not mels:
        raise DataError("There is no window to evaluate.")
    return Windows(np.stack(mels), np.array(targets), np.array(groups), np.array(names))
