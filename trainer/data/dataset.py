"""Data sets on disk: their clips, with labels, groups and sides of the split.

A data set is a folder with a `manifest.csv` (``path,label,group,…``), with a `train_metadata.json` and a
`val_metadata.json` (``{id: {path, emotion, …}}``), or with one subfolder per label. A separate file of segments
(``path,start_seconds,end_seconds,label,sound,confidence,teacher``) can give the labels more exactly. It then replaces
the labels of the data set, and what it does not name is left out rather than guessed.

Several folders can be one data set. Groups and paths then begin with the folder's name, so that nobody is confused with
somebody from another folder.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from babymonitor.core.labels import LABELS


@dataclass(frozen=True, slots=True)
class Span:
    """`label` sounds from `start` to `end` (seconds)."""

    start: float
    end: float
    label: str


@dataclass(frozen=True, slots=True)
class Clip:
    """A sound file of a data set.

    path: relative to the data set. group: baby, speaker or recording, never on two sides. side: "" before the split.
    spans: the labels with their times; what no span covers is unknown. usable: False for rows that must not be trained
    on. licence: of the sound, "" if not stated. folder: the name with which path and group begin if the data set
    consists of several folders.
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
        """The group without the folder's name."""
        return self.group.partition("/")[2] if self.folder else self.group

    def seconds(self, label: str | None = None) -> float:
        """Return how long `label`, or any label, sounds."""
        return sum(span.end - span.start for span in self.spans if label in (None, span.label))


@dataclass(frozen=True, slots=True)
class DataSet:
    """The clips of one folder or of several."""

    roots: tuple[Path, ...]
    clips: tuple[Clip, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.roots))

    @property
    def title(self) -> str:
        """The folders' names."""
        return ", ".join(root.resolve().name for root in self.roots)

    def file(self, path: str) -> Path:
        """Return the file of a clip's path."""
        if len(self.roots) == 1:
            return self.roots[0] / path
        folder, _, inside = path.partition("/")
        return next(root for root in self.roots if folder_name(root) == folder) / inside

    def part(self, root: Path) -> dict[str, Clip]:
        """Return the clips of one of the folders, by their path in it."""
        if len(self.roots) == 1:
            return {clip.path: clip for clip in self.clips}
        folder = folder_name(root)
        return {clip.path.removeprefix(f"{folder}/"): clip for clip in self.clips if clip.folder == folder}

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that occur, in the vocabulary's order; unknown ones follow alphabetically."""
        names = {span.label for clip in self.clips for span in clip.spans}
        known = [name for name in LABELS if name in names]
        return (*known, *sorted(names - set(known)))

    def side(self, side: str) -> tuple[Clip, ...]:
        """Return the clips of one of `SIDES`."""
        return tuple(clip for clip in self.clips if clip.side == side)


def folder_name(root: Path) -> str:
    """Return the name by which groups and paths of a folder are prefixed."""
    return Path(os.path.abspath(root)).name  # not resolved: the person may have named a link


SIDES = ("train", "validation", "test")
FEWEST_GROUPS = 3
"""A label needs a group on each side. With fewer groups, no honest figure could be given for it."""
SIDE_NAMES = {"train": "train", "training": "train", "val": "validation", "valid": "validation"}
SIDE_NAMES |= {"validation": "validation", "dev": "validation", "test": "test", "testing": "test"}


def stable_random(text: str, salt: str) -> int:
    """Return a pseudo-random 64-bit number that is the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"{salt}/{text}".encode()).digest()[:8], "big")
