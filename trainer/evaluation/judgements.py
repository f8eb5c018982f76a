"""A model's probabilities for clips whose truth is known: the raw material of every figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.model.classifier import Classifier, ModelCard
from trainer.data.dataset import Clip, DataSet
from trainer.data.decoded_audio import DecodedAudio, merge_duplicate_groups, trim_to_audio
from trainer.data.split import Division, group_hash, split
from trainer.errors import DataError
from trainer.evaluation.metrics import ROUNDS
from trainer.evaluation.summary import figures_of, mean_over_clips
from trainer.networks import Front
from trainer.windows.fixed_windows import fixed_windows

_BATCH_CLIPS = 32
"""Clips whose windows are held in memory at a time: those of a raw wave are large."""


@dataclass(frozen=True, slots=True)
class Judgements:
    """One row per window.

    rows: probabilities (N, labels) float32. truth: (N,) indices into labels. groups, clips: (N,) names.
    """

    labels: tuple[str, ...]
    rows: npt.NDArray[np.float32]
    truth: npt.NDArray[np.int64]
    groups: npt.NDArray[np.str_]
    clips: npt.NDArray[np.str_]

    def by_window(self, rounds: int = ROUNDS) -> dict[str, Any]:
        """The figures over windows; see `figures_of`."""
        return figures_of(self.rows, self.truth, self.groups, self.labels, rounds)

    def by_clip(self, rounds: int = ROUNDS) -> dict[str, Any] | None:
        """The figures over clips with a single label, each the mean of its windows; None where there is no such clip.

        See `figures_of`.
        """
        rows, truth, groups, _ = mean_over_clips(self.rows, self.truth, self.groups, self.clips)
        return figures_of(rows, truth, groups, self.labels, rounds) if len(rows) else None


def clips_of_side(data: DataSet, waves: DecodedAudio, side: str, division: Division | None = None) -> list[Clip]:
    """The clips of one side that could be decoded.

    side: of the division, or ``"all"`` for every clip that may be trained on, or ``"evaluation-only"`` for those that
    must not be. Raises DataError where there is none.
    """
    decoded = merge_duplicate_groups(trim_to_audio(data.clips, waves), waves)
    usable = tuple(clip for clip in decoded if clip.usable)
    if side == "evaluation-only":
        clips = [clip for clip in decoded if not clip.usable]
    elif side == "all":
        clips = list(usable)
    else:
        clips = list(split(replace(data, clips=usable), division, data).side(side))
    if not clips:
        raise DataError(f"{data} holds no clip on the side '{side}'.")
    return clips


def training_overlap(card: ModelCard, clips: Sequence[Clip]) -> dict[str, int] | None:
    """How many of the clips' groups the model learnt from (``train``) and was calibrated on (``validation``).

    None where its card does not say.
    """
    known, taught = card.training.get("groups"), card.training.get("taught")
    if not isinstance(known, dict):
        return None
    taught_groups = taught.get("met", []) if isinstance(taught, dict) else []
    # Where a model learnt from several folders, a folder's groups are known by the longer of their two names, which
    # tells them from groups of the same name elsewhere.
    folders = card.training.get("folders", [])
    groups = {group_hash(clip.group if clip.folder in folders else clip.own_group) for clip in clips}
    sides = {"train": [*known.get("train", []), *taught_groups], "validation": known.get("validation", [])}
    return {side: len(groups.intersection(names)) for side, names in sides.items()}


def judge(
    classifier: Classifier, clips: Sequence[Clip], waves: DecodedAudio, labels: Sequence[str] = (), per_span: int = 6
) -> Judgements:
    """Ask a model about at most `per_span` windows of each labelled span of the clips; see `fixed_windows`.

    These windows are not those of the monitor's grid (`core.model.replay`), which runs from the beginning of a clip
    across its spans: here each window stands for one labelled span, evenly spaced within it, so that long spans do not
    outweigh short ones. The features of a window are what the grid gives for a complete window that ends there; a span
    shorter than a window is mirrored, as the monitor does at the beginning of its sound.

    labels: the labels of interest, where not all of the model's; their probabilities are scaled to sum to one. Windows
    are asked about one at a time, as the app does: a network that is quantised on the fly answers differently in a
    batch, since a batch shares one scale. Raises DataError where there is no window, ModelError when the model fails.
    """
    card = classifier.card
    front = Front(card.features, card.window_frames, card.hop_frames)
    names = tuple(labels) or classifier.labels
    columns = [classifier.labels.index(name) for name in names]
    parts: list[Any] = []
    for first in range(0, len(clips), _BATCH_CLIPS):
        batch = clips[first : first + _BATCH_CLIPS]
        relevant = [clip for clip in batch if any(span.label in names for span in clip.spans)]
        try:
            windows = fixed_windows(relevant, waves, names, front, per_span)
        except DataError:  # no window in this batch; there may be some in others
            continue
        rows = np.stack([classifier.probabilities(np.ascontiguousarray(mel)) for mel in windows.mels])[:, columns]
        if len(columns) < len(classifier.labels):
            rows = (rows + 1e-9) / (rows + 1e-9).sum(1, keepdims=True)
        parts.append((rows, windows.labels, windows.groups, windows.clips))
    if not parts:
        raise DataError("There is not a single window to judge by.")
    return Judgements(names, *(np.concatenate(column) for column in zip(*parts, strict=True)))
