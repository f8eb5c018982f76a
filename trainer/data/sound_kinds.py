"""The clips of a manifest with the labels that stand there, and those of them that are left out of a training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from trainer.data.dataset import Clip, Span
from trainer.data.readers import read_rows
from trainer.errors import DataError

CANDIDATES = "baby_cry_candidate"
"""The label of recordings that promise crying; four in ten hold none."""
CRY = "baby_cry"


def read_clips(root: Path) -> tuple[Clip, ...]:
    """Read the clips of a folder with a manifest, with the labels that stand there.

    `trainer.data.readers.load` would translate them into the monitor's few labels; here a cat must remain a cat.
    """
    return tuple(
        Clip(
            path=row["path"],
            group=row["group"],
            source=row["source"],
            detail=row["detail"],
            spans=(Span(0.0, float("inf"), row["label"]),),
            usable=row["use"] == "train",
            licence=row["licence"],
        )
        for row in read_rows(root / "manifest.csv", ("path", "use", "source", "label", "detail", "group", "licence"))
    )


def label_of(clip: Clip) -> str:
    return clip.spans[0].label


def kind_of(clip: Clip) -> str:
    """Return the kind of sound that a clip counts as when kinds are drawn: its label, or the class within the label."""
    label = label_of(clip)
    if label == "env":
        kind = clip.detail.partition(" - ")[2].lower() or clip.detail
        return "dog" if kind == "dog bark" else kind
    return f"{clip.source} {label}" if label in ("adult_speech", "mixed") else label


def left_out(clips: Iterable[Clip], patterns: Sequence[str]) -> set[str]:
    """Return the paths of clips that must not be learnt from: those that match, and all others of their groups.

    patterns: as in ``third/rynnchrs/*``, compared with paths; after ``licence:``, compared with licences, as in
    ``licence:*BY-NC*``. Raises DataError for one that matches nothing.
    """
    clips = tuple(clips)
    groups: set[str] = set()
    for pattern in patterns:
        licence = pattern.removeprefix("licence:")
        matching = {
            clip.group
            for clip in clips
            if (fnmatchcase(clip.path, pattern) if licence == pattern else fnmatchcase(clip.licence, licence))
        }
        if not matching:
            raise DataError(f"There is no clip {pattern} to leave out.")
        groups |= matching
    return {clip.path for clip in clips if clip.group in groups}
