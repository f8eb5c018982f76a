"""Where people's labels and the teacher disagree: small corrections of its answers to crying, laughing and cats.

A correction only weakens or strengthens what the teacher said, and of a few classes, so that nothing else is unlearnt:
labels as targets would be, and on unseen babies they made every network worse than YAMNet (docs/training.md).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainer.backbone.tagger import BABY_CRY
from trainer.data.sound_kinds import CANDIDATES, CRY

CRYING_CLASSES = (19, BABY_CRY, 21, 22)
"""Crying or sobbing, baby cry, whimper, wail."""
CAT_CLASSES = (76, 78, 80)
"""Cat, meow, caterwaul."""
_BABY_LAUGHTER, _BABBLING = 14, 4
_MAY_CRY = (
    CANDIDATES,
    CRY,
    "baby_fuss",
    "baby_vocal_unsure",
    "child_speech",
    "child_scream",
    "adult_vocal",
    "noise",
    "other",
)
"""Kinds of sound (see `trainer.data.sound_kinds.kind_of`) in which somebody may cry, or whose label does not tell."""
_LESS = 0.2
"""What is left of an answer to crying where nobody cries."""

Spans = Mapping[str, Sequence[tuple[float, float]]]
"""By path, the stretches that hold crying, in seconds."""


def read_crying(segments: Path) -> Spans:
    """Read the stretches of a segments.csv that both witnesses, YAMNet and the pitch of the voice, call crying."""
    spans: dict[str, list[tuple[float, float]]] = {}
    with segments.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["sound"] in ("crying", "whimper") and "pitch" in row["teacher"]:
                spans.setdefault(row["path"], []).append((float(row["start_seconds"]), float(row["end_seconds"])))
    return spans


def corrected(answer: npt.NDArray[np.float32], kind: str, crying: bool) -> npt.NDArray[np.float32]:
    """Correct the teacher's answer, (521,), to a segment of a kind of sound.

    crying: a person, or both witnesses, say that a baby is crying in it. The square root strengthens a doubtful answer
    and leaves a sure one.
    """
    answer = answer.copy()
    if crying:
        answer[BABY_CRY] **= 0.5
    elif kind not in _MAY_CRY and not kind.endswith(("mixed", "speech_babble")):
        answer[list(CRYING_CLASSES)] *= _LESS
    if kind == "cat":
        answer[list(CAT_CLASSES)] **= 0.5
    elif kind.startswith("baby_laugh"):
        answer[_BABY_LAUGHTER] **= 0.5
    elif kind == "baby_babble":
        answer[_BABBLING] **= 0.5
    return answer
