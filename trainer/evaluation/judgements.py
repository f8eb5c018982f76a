"""What a model says of clips whose truth is known: the raw matter of every figure."""

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
from trainer.evaluation.summary import figures_of, of_clips
from trainer.networks import Front
from trainer.windows.grid import fixed_windows

_AT_ONCE = 32
"""Clips whose windows are held at a time: those of a raw wave are large."""


@dataclass(frozen=True, slots=True)
class Judgements:
    """Per window: probabilities (N, labels) float32, truth (N,) as index into labels, its group and its clip (N,)."""

    labels: tuple[str, ...]
    rows: npt.NDArray[np.float32]
    truth: npt.NDArray[np.int64]
    groups: npt.NDArray[np.str_]
    clips: npt.NDArray[np.str_]

    def by_window(self, rounds: int = ROUNDS) -> dict[str, Any]:
        """See `figures_of`; every window counts for itself."""
        return figures_of(self.rows, self.truth, self.groups, self.labels, rounds)

    def by_clip(self, rounds: int = ROUNDS) -> dict[str, Any] | None:
        """See `figures_of`; of each clip with one label only, the mean of its windows. None where no clip is such."""
        rows, truth, groups, _ = of_clips(self.rows, self.truth, self.groups, self.clips)
        return figures_of(rows, truth, groups, self.labels, rounds) if len(rows) else None


def chosen(whole: DataSet, waves: DecodedAudio, side: str, division: Division | None = None) -> list[Clip]:
    """The clips of one side that could be decoded; DataError where there is none."""
    decoded = merge_duplicate_groups(trim_to_audio(whole.clips, waves), waves)
    usable = tuple(clip for clip in decoded if clip.usable)
    if side == "evaluation-only":
        clips = [clip for clip in decoded if not clip.usable]
    elif side == "all":
        clips = list(usable)
    else:
        clips = list(split(replace(whole, clips=usable), division, whole).side(side))
    if not clips:
        raise DataError(f"{whole} holds no clip on the side '{side}'.")
    return clips


def met(card: ModelCard, clips: Sequence[Clip]) -> dict[str, int] | None:
    """How many of the clips' groups the model learnt from or was calibrated on; None where its card does not say."""
    known, taught = card.training.get("groups"), card.training.get("taught")
    if not isinstance(known, dict):
        return None
    at_home = taught.get("met", []) if isinstance(taught, dict) else []
    # Learnt from among others, a folder's groups are known by both names: by the longer they are told from the others'.
    folders = card.training.get("folders", [])
    groups = {group_hash(clip.group if clip.folder in folders else clip.own_group) for clip in clips}
    learnt = {"train": [*known.get("train", []), *at_home], "validation": known.get("validation", [])}
    return {side: len(groups.intersection(some)) for side, some in learnt.items()}


def judge(
    classifier: Classifier, clips: Sequence[Clip], waves: DecodedAudio, labels: Sequence[str] = (), per_span: int = 6
) -> Judgements:
    """Ask a model about windows on a grid over the clips' spans, see `fixed_windows`.

    labels: where only some of the model's are of interest; the probabilities of these are then made to sum to one.
    The windows are asked about one by one, as the app does: a network quantised on the fly answers differently in
    company, since all that is asked at once shares one scale.
    """
    card = classifier.card
    front = Front(card.features, card.window_frames, card.hop_frames)
    known = tuple(labels) or classifier.labels
    columns = [classifier.labels.index(name) for name in known]
    parts: list[Any] = []
    for first in range(0, len(clips), _AT_ONCE):
        some = [clip for clip in clips[first : first + _AT_ONCE] if any(span.label in known for span in clip.spans)]
        try:
            windows = fixed_windows(some, waves, known, front, per_span)
        except DataError:  # nothing in these; perhaps in others
            continue
        rows = np.stack([classifier.probabilities(np.ascontiguousarray(mel)) for mel in windows.mels])[:, columns]
        if len(columns) < len(classifier.labels):
            rows = (rows + 1e-9) / (rows + 1e-9).sum(1, keepdims=True)
        parts.append((rows, windows.labels, windows.groups, windows.clips))
    if not parts:
        raise DataError("There is not a single window to judge by.")
    return Judgements(known, *(np.concatenate(column) for column in zip(*parts, strict=True)))
