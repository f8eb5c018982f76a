"""Data sets on disk: which clips, which labels, which group, which side of the split.

A data set is a folder with a `manifest.csv` (``path,label,group,…``), with a `train_metadata.json` and a
`val_metadata.json` (``{id: {path, emotion, …}}``), or with one subfolder per label. A separate file of segments
(``path,start_seconds,end_seconds,label,sound,confidence,teacher``) may say more exactly what is heard when; then it
alone decides about labels, and what it does not name is left out rather than guessed.

Several folders may be one data set. Their groups and paths then begin with the folder's name, so that nobody is taken
for somebody of another.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from babymonitor.core.labels import LABELS


@dataclass(frozen=True, slots=True)
class Span:
    """`label` is heard from `start` to `end` (seconds)."""

    start: float
    end: float
    label: str


@dataclass(frozen=True, slots=True)
class Clip:
    """One sound file of a data set, and what is known of it.

    path: relative to the data set. group: baby, speaker or recording; never on two sides. side: "" until split.
    spans: what is heard when; what no span covers is not known. usable: False for rows that must not be trained on.
    licence: of its sound, "" where nobody says. folder: with which name path and group begin, where the data set is
    several folders.
    """

    path: str
    group: str
    source: str = ""
    detail: str = ""
    side: str = ""
    spans: tuple[Span, ...] = ()
    usable: bool = True
    licence: str = ""
    folder: str = ""

    @property
    def own_group(self) -> str:
        """The group as its folder alone calls it."""
        return self.group.partition("/")[2] if self.folder else self.group

    def seconds(self, label: str | None = None) -> float:
        """How long `label` (or anything known) is heard."""
        return sum(span.end - span.start for span in self.spans if label in (None, span.label))


@dataclass(frozen=True, slots=True)
class DataSet:
    """The clips of one folder or of several. labels: all that occur, in the vocabulary's order, others behind in
    alphabetical one.
    """

    roots: tuple[Path, ...]
    clips: tuple[Clip, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.roots))

    @property
    def title(self) -> str:
        """The folders' own names."""
        return ", ".join(root.resolve().name for root in self.roots)

    def file(self, path: str) -> Path:
        """Where the clip of a path lies."""
        if len(self.roots) == 1:
            return self.roots[0] / path
        folder, _, inside = path.partition("/")
        return next(root for root in self.roots if folder_name(root) == folder) / inside

    def part(self, root: Path) -> dict[str, Clip]:
        """The clips of one of the folders, by their path in it."""
        if len(self.roots) == 1:
            return {clip.path: clip for clip in self.clips}
        folder = folder_name(root)
        return {clip.path.removeprefix(f"{folder}/"): clip for clip in self.clips if clip.folder == folder}

    @property
    def labels(self) -> tuple[str, ...]:
        found = {span.label for clip in self.clips for span in clip.spans}
        known = [name for name in LABELS if name in found]
        return (*known, *sorted(found - set(known)))

    def side(self, side: str) -> tuple[Clip, ...]:
        return tuple(clip for clip in self.clips if clip.side == side)


def folder_name(root: Path) -> str:
    return Path(os.path.abspath(root)).name  # not resolved: it is called as it was named


SIDES = ("train", "validation", "test")
FEWEST_GROUPS = 3
"""A label needs one group for each side; with fewer, nothing honest could be said about it."""
SIDE_NAMES = {"train": "train", "training": "train", "val": "validation", "valid": "validation"}
SIDE_NAMES |= {"validation": "validation", "dev": "validation", "test": "test", "testing": "test"}


def stable_random(text: str, salt: str) -> int:
    """A number that looks drawn at random, of 64 bits, the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"{salt}/{text}".encode()).digest()[:8], "big")
