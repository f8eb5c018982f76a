"""Which of the backbone's 521 AudioSet classes make up each sound that the ear names or weighs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

GROUPS: Mapping[str, Sequence[int]] = {
    "sobbing": (19,),
    "whimper": (21,),
    "wail": (22, 33),
    "scream": (*range(6, 12), 61),
    "child_talking": (1, 66),
    "talking": (0, 2, 3, 5, 12, 63, 64, 65),
    "laughing": (13, *range(15, 19)),
    "baby_laughter": (14,),
    "babbling": (4,),
    "singing": tuple(range(24, 33)),
    "coughing": (42, 43, 44, 53, 54),
    "breathing": (*range(36, 42), 45),
    "dog": tuple(range(69, 76)),
    "cat": tuple(range(76, 81)),
    "animal": (67, 68, *range(81, 131)),
    "music": (*range(132, 195), *range(198, 276)),
    "television": (518, 519),
    "alarm": (304, 313, *range(316, 320), 349, 350, *range(382, 396), 475),
    "vehicle": (294, *range(300, 304), 305, *range(306, 313), 314, 315, *range(320, 336), *range(337, 348)),
    "water": (282, *range(286, 290), *range(364, 367), 368, *range(438, 447)),
    "weather": (*range(277, 282), *range(283, 286)),
    "household": (
        348,
        *range(351, 364),
        *range(369, 371),
        *range(372, 382),
        *range(398, 406),
        *range(412, 420),
        *range(435, 438),
    ),
    "noise": (367, 371, 406, 407, 490, *range(507, 511), 514, 515),
    "quiet": (494,),
}
"""By name, as in the file's card (see `core.model.sounds`). A sound is as likely as the likeliest of its classes.

Baby cry is not among them: it is the file's P(crying), so that what a home teaches it counts.
"""

BABY_LAUGHTER, BABBLING = 14, 4
