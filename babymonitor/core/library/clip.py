"""A labelled clip: its metadata, the name of its file, and how the file stores the metadata.

The file is ``<label>/<group>/<id>.flac``. Label and group are read from its path; the rest is a JSON object in the
FLAC's comment, so the folders alone are the complete library. The id is a hash of the samples: the same sound is never
stored twice.
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
"""The folder of clips without a label."""
SHORTEST_SECONDS, LONGEST_SECONDS = 0.2, 120.0
SOURCES = ("microphone", "night", "import")

Samples = npt.NDArray[np.int16]

_FORMAT = 1
_LONGEST_LABEL, _LONGEST_GROUP = 60, 100
"""In bytes, so that complete paths stay below the 260 characters that Windows allows."""
_LONGEST_NOTE = 4000
_FULL_SCALE = 32700
_LABEL = re.compile(r"[a-z0-9_]+")
_ID = re.compile(r"[0-9a-f]{16}")
# Windows reserves these for devices: no folder can have such a name.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


class LibraryError(PersonError):
    """The library cannot do what was asked."""


@dataclass(frozen=True, slots=True)
class LibraryClip:
    """A clip of the library.

    id: 16 hex digits, also the name of its file. label: "" for none. group: the night or recording, which must not be
    on two sides of a split. baby: "" if unknown. source: one of `SOURCES`. recorded, added: Unix seconds; recorded is
    the time of the first sample. level_db: root mean square. guess: the model's probabilities when it was added, {} if
    unknown. origin: ``alert:<id>`` for clips from Nights, the file name for imports. path: absolute.
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
    """The same sound is already in the library, as `clip`."""

    def __init__(self, clip: LibraryClip) -> None:
        title = look_of(clip.label or UNLABELLED).title
        super().__init__(Code.LIBRARY_HAS_CLIP, label=title, group=clip.group)
        self.clip = clip


def checked_label(name: str) -> str:
    """The canonical form of a label, "" for none. Raises LibraryError if it cannot be a label."""
    label = canonical(name)
    if label in ("", UNLABELLED):
        return ""
    if not _LABEL.fullmatch(label) or len(label) > _LONGEST_LABEL or _DEVICE.fullmatch(label):
        raise LibraryError(Code.LIBRARY_LABEL_WRONG, name=name)
    return label


def label_of_folder(name: str) -> str:
    """The label that a folder's name stands for, without accents and special characters; "" if nothing is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^a-z0-9_]+", "_", canonical(plain)).strip("_")
    with suppress(LibraryError):
        return checked_label(plain)
    return ""


def checked_group(name: str) -> str:
    """A group as a valid folder name on every system: characters with a meaning in paths become ``-``."""
    name = unicodedata.normalize("NFC", storable(name))
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f]+', "-", name).strip(" .-")
    while len(name.encode()) > _LONGEST_GROUP:
        name = name[:-1].rstrip(" .-")
    return f"group-{name}" if not name or _DEVICE.fullmatch(name.partition(".")[0]) else name


def storable(text: str) -> str:
    """Text that a database accepts: file names may contain bytes that are not characters."""
    return text.encode("utf-8", "replace").decode()


def checked_note(note: str) -> str:
    """A note as it is stored. Raises LibraryError if it is too long."""
    if len(note) > _LONGEST_NOTE:
        raise LibraryError(Code.LIBRARY_NOTE_TOO_LONG, most=_LONGEST_NOTE, count=len(note))
    return storable(note)


def relative_path(clip: LibraryClip) -> Path:
    """The path of its file relative to the folder of the library or the trash."""
    return Path(clip.label or UNLABELLED, clip.group, f"{clip.id}.flac")


def checked_samples(wave: Wave) -> Samples:
    """Convert (samples,) float32 at 16 kHz to the 16-bit samples that are stored. Raises LibraryError if invalid."""
    seconds = wave.size / SAMPLE_RATE
    if seconds < SHORTEST_SECONDS:
        raise LibraryError(Code.LIBRARY_CLIP_TOO_SHORT, seconds=seconds, least=SHORTEST_SECONDS)
    if seconds > LONGEST_SECONDS:
        raise LibraryError(Code.LIBRARY_CLIP_TOO_LONG, seconds=seconds, most=LONGEST_SECONDS)
    if not np.isfinite(wave).all():
        raise LibraryError(Code.LIBRARY_CLIP_NOT_NUMBERS)
    # The inverse of reading (division by 32768): storing, reading and storing again gives the same id.
    samples: Samples = np.rint(np.clip(wave, -1.0, 1.0) * 32768.0).clip(-32768, 32767).astype(np.int16)
    return samples


def id_of(samples: Samples) -> str:
    return hashlib.blake2b(samples.astype("<i2").tobytes(), digest_size=8).hexdigest()


def loudness(samples: Samples) -> tuple[float, bool]:
    """The level in dB, and whether the sound is clipped (reaches full scale)."""
    clipped = int(np.count_nonzero(np.abs(samples.astype(np.int32)) >= _FULL_SCALE)) >= 3
    return round(level_db((samples / np.float32(32768.0)).astype(np.float32)), 2), clipped


def encoded(samples: Samples, clip: LibraryClip) -> bytes:
    """The bytes of a clip's FLAC file."""
    import soundfile

    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as file:
        file.comment = comment_of(clip)
        file.write(samples)
    return out.getvalue()


def comment_of(clip: LibraryClip) -> str:
    """The comment of a clip's file: its metadata as JSON."""
    metadata = {
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
    return json.dumps(metadata)  # ASCII, so that lone surrogates in a note do not make the file unwritable


def read_clip(path: Path) -> LibraryClip | None:
    """Read the metadata of a clip's file; None if it is not a clip of a library, or cannot be read.

    All values are checked, because the file may come from anybody.
    """
    try:
        head = flac_tag.read_head(path)
        metadata = json.loads(head.comment)
        if not isinstance(metadata, dict) or "babymonitor" not in metadata or not _ID.fullmatch(str(metadata["id"])):
            return None
        guess = metadata.get("guess")
        clip = LibraryClip(
            id=metadata["id"],
            label=checked_label(str(metadata.get("label", ""))),
            group=checked_group(str(metadata.get("group", ""))),
            baby=storable(str(metadata.get("baby", ""))),
            source=metadata["source"] if metadata.get("source") in SOURCES else "import",
            recorded=float(metadata["recorded"]),
            seconds=head.seconds,
            level_db=float(metadata["level_db"]),
            is_clipped=bool(metadata["is_clipped"]),
            note=storable(str(metadata.get("note", "")))[:_LONGEST_NOTE],
            guess={str(name): float(value) for name, value in guess.items()} if isinstance(guess, dict) else {},
            origin=storable(str(metadata.get("origin", ""))),
            path=path,
            added=float(metadata["added"]),
        )
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError, LibraryError):
        return None
    numbers = (clip.recorded, clip.added, clip.level_db, *clip.guess.values())
    return clip if head.sample_rate == SAMPLE_RATE and all(map(math.isfinite, numbers)) else None


def has_same_comment(clip: LibraryClip, changed: LibraryClip) -> bool:
    """Whether both clips have the same metadata apart from label and group, which are in the path."""
    return replace(clip, label="", group="", path=Path()) == replace(changed, label="", group="", path=Path())
