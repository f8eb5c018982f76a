"""One labelled clip: what is known of it, how its file is called, and how both stand in that file.

The file lies at ``<label>/<group>/<id>.flac``. Label and group are read from there; the rest is a JSON object in the
FLAC's comment, so that the folders alone are the whole library. The id is a hash of the samples: the same sound is
never there twice.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from babymonitor.core.labels import canonical
from babymonitor.core.labels import label as look_of
from babymonitor.core.messages import Code, PersonError
from babymonitor.core.sound import flac_tag
from babymonitor.core.sound.levels import level_db
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave

UNLABELLED = "unlabelled"
"""The folder of clips that have no label yet."""
SHORTEST_SECONDS, LONGEST_SECONDS = 0.2, 120.0
SOURCES = ("microphone", "night", "import")

Samples = npt.NDArray[np.int16]

_FORMAT = 1
_LONGEST_LABEL, _LONGEST_GROUP = 60, 100
"""In bytes: with the folders before them a path stays below the 260 characters that Windows takes."""
_LONGEST_NOTE = 4000
_FULL_SCALE = 32700
_LABEL = re.compile(r"[a-z0-9_]+")
_ID = re.compile(r"[0-9a-f]{16}")
# Windows keeps these for devices: a folder of that name cannot be made there.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


class LibraryError(PersonError):
    """The library cannot do that; the message is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class LibraryClip:
    """One clip of the library.

    id: 16 hex digits, its file's name too. label: "" while it has none. group: night or recording, what must not stand
    on two sides of a split. baby: "" unknown. source: one of `SOURCES`. recorded, added: Unix seconds; recorded is its
    first sample. level_db: root mean square. guess: the model's probabilities when it was added, {} unknown. origin:
    ``alert:<id>`` of one out of Nights, the file's name of an import. path: absolute.
    """

    id: str
    label: str
    group: str
    baby: str
    source: str
    recorded: float
    seconds: float
    level_db: float
    is_clipped: bool
    note: str
    guess: dict[str, float] = field(default_factory=dict)
    origin: str = ""
    path: Path = Path()
    added: float = 0.0


class AlreadyThereError(LibraryError):
    """The same sound is in the library; `clip` is it."""

    def __init__(self, clip: LibraryClip) -> None:
        title = look_of(clip.label or UNLABELLED).title
        super().__init__(Code.LIBRARY_HAS_CLIP, label=title, group=clip.group)
        self.clip = clip


def checked_label(name: str) -> str:
    """The canonical label, "" for none; LibraryError for what cannot be one."""
    label = canonical(name)
    if label in ("", UNLABELLED):
        return ""
    if not _LABEL.fullmatch(label) or len(label) > _LONGEST_LABEL or _DEVICE.fullmatch(label):
        raise LibraryError(Code.LIBRARY_LABEL_WRONG, name=name)
    return label


def label_of_folder(name: str) -> str:
    """The label a folder's name stands for, "" where nothing is left of it: accents and signs are left out."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^a-z0-9_]+", "_", canonical(plain)).strip("_")
    with suppress(LibraryError):
        return checked_label(plain)
    return ""


def checked_group(name: str) -> str:
    """A group as a folder may be called on any system: what is special in paths becomes ``-``."""
    name = unicodedata.normalize("NFC", storable(name))
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f]+', "-", name).strip(" .-")
    while len(name.encode()) > _LONGEST_GROUP:
        name = name[:-1].rstrip(" .-")
    return f"group-{name}" if not name or _DEVICE.fullmatch(name.partition(".")[0]) else name


def storable(text: str) -> str:
    """Text as a database takes it: a file's name may hold bytes that are no characters."""
    return text.encode("utf-8", "replace").decode()


def checked_note(note: str) -> str:
    """A note as it is kept; LibraryError for one that is a book."""
    if len(note) > _LONGEST_NOTE:
        raise LibraryError(Code.LIBRARY_NOTE_TOO_LONG, most=_LONGEST_NOTE, count=len(note))
    return storable(note)


def relative_path(clip: LibraryClip) -> Path:
    """Where its file lies within the library's or the trash's folder."""
    return Path(clip.label or UNLABELLED, clip.group, f"{clip.id}.flac")


def checked_samples(wave: Wave) -> Samples:
    """(samples,) float32 at 16 kHz → the 16-bit samples that are kept; LibraryError for what no clip can be."""
    seconds = wave.size / SAMPLE_RATE
    if seconds < SHORTEST_SECONDS:
        raise LibraryError(Code.LIBRARY_CLIP_TOO_SHORT, seconds=seconds, least=SHORTEST_SECONDS)
    if seconds > LONGEST_SECONDS:
        raise LibraryError(Code.LIBRARY_CLIP_TOO_LONG, seconds=seconds, most=LONGEST_SECONDS)
    if not np.isfinite(wave).all():
        raise LibraryError(Code.LIBRARY_CLIP_NOT_NUMBERS)
    # As it is read again (divided by 32768): what is kept, read and kept once more has the same id.
    samples: Samples = np.rint(np.clip(wave, -1.0, 1.0) * 32768.0).clip(-32768, 32767).astype(np.int16)
    return samples


def id_of(samples: Samples) -> str:
    return hashlib.blake2b(samples.astype("<i2").tobytes(), digest_size=8).hexdigest()


def loudness(samples: Samples) -> tuple[float, bool]:
    """The level in dB, and whether the sound reached full scale: then it is distorted."""
    clipped = int(np.count_nonzero(np.abs(samples.astype(np.int32)) >= _FULL_SCALE)) >= 3
    return round(level_db((samples / np.float32(32768.0)).astype(np.float32)), 2), clipped


def encoded(samples: Samples, clip: LibraryClip) -> bytes:
    """A whole FLAC file."""
    import soundfile

    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as file:
        file.comment = comment_of(clip)
        file.write(samples)
    return out.getvalue()


def comment_of(clip: LibraryClip) -> str:
    """What the file says of itself."""
    said = {
        "babymonitor": _FORMAT,
        "id": clip.id,
        "label": clip.label,
        "group": clip.group,
        "baby": clip.baby,
        "source": clip.source,
        "recorded": clip.recorded,
        "level_db": clip.level_db,
        "is_clipped": clip.is_clipped,
        "note": clip.note,
        "guess": clip.guess,
        "origin": clip.origin,
        "added": clip.added,
    }
    return json.dumps(said)  # in ASCII: half a character of a note must not make a file unwritable


def read_clip(path: Path) -> LibraryClip | None:
    """What a file says of itself, at the path given; None where it is no clip of a library, or cannot be read.

    Its words are checked: the file may be a stranger's.
    """
    try:
        head = flac_tag.read_head(path)
        said = json.loads(head.comment)
        if not isinstance(said, dict) or "babymonitor" not in said or not _ID.fullmatch(str(said["id"])):
            return None
        guess = said.get("guess")
        clip = LibraryClip(
            id=said["id"],
            label=checked_label(str(said.get("label", ""))),
            group=checked_group(str(said.get("group", ""))),
            baby=storable(str(said.get("baby", ""))),
            source=said["source"] if said.get("source") in SOURCES else "import",
            recorded=float(said["recorded"]),
            seconds=head.seconds,
            level_db=float(said["level_db"]),
            is_clipped=bool(said["is_clipped"]),
            note=storable(str(said.get("note", "")))[:_LONGEST_NOTE],
            guess={str(name): float(value) for name, value in guess.items()} if isinstance(guess, dict) else {},
            origin=storable(str(said.get("origin", ""))),
            path=path,
            added=float(said["added"]),
        )
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError, LibraryError):
        return None
    numbers = (clip.recorded, clip.added, clip.level_db, *clip.guess.values())
    return clip if head.sample_rate == SAMPLE_RATE and all(map(math.isfinite, numbers)) else None


def same_but_path(one: LibraryClip, other: LibraryClip) -> bool:
    """Whether the two files would say the same of themselves; label and group are said by their places."""
    return replace(one, label="", group="", path=Path()) == replace(other, label="", group="", path=Path())
