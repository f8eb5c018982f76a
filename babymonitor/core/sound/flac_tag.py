"""The comment of a FLAC file, read and replaced without decoding: clips carry their metadata there.

A FLAC file is ``fLaC``, metadata blocks (a byte with type and last-block flag, three bytes of length, data) and the
sound: RFC 9639, section 8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from babymonitor.core.messages import Code, PersonError

_STREAM, _PADDING, _COMMENTS = 0, 1, 4
_KEY = "COMMENT"
_LONGEST_BLOCK = 2**24 - 1


class FlacError(PersonError, ValueError):
    """A file that is not a FLAC file, or a comment that does not fit into one."""


@dataclass(frozen=True, slots=True)
class FlacHead:
    """The metadata before the sound. comment: "" if there is none."""

    comment: str
    sample_rate: int
    seconds: float


def read_head(path: Path) -> FlacHead:
    """Read the head of a FLAC file. Raises OSError if it cannot be read, FlacError if it is not a FLAC file."""
    with path.open("rb") as file:
        blocks = dict(reversed(_blocks(file)))
    stream = int.from_bytes(blocks[_STREAM][10:18], "big")
    rate, samples = stream >> 44, stream & (2**36 - 1)
    if not rate:
        raise FlacError(Code.FLAC_RATE_IMPOSSIBLE)
    _, fields = _fields(blocks.get(_COMMENTS, b""))
    comment = next((text for key, text in map(_split, fields) if key == _KEY), "")
    return FlacHead(comment, rate, samples / rate)


def copy_with_comment(source: Path, target: Path, comment: str) -> None:
    """Copy a FLAC file, replacing its comment. Raises as `read_head` does."""
    with source.open("rb") as file:
        blocks = _blocks(file)
        vendor, fields = _fields(dict(reversed(blocks)).get(_COMMENTS, b""))
        fields = [field for field in fields if _split(field)[0] != _KEY] + [f"{_KEY}={comment}".encode()]
        comments = _sized(vendor) + struct.pack("<I", len(fields)) + b"".join(map(_sized, fields))
        if len(comments) > _LONGEST_BLOCK:
            raise FlacError(Code.FLAC_COMMENT_TOO_LONG)
        blocks = [block for block in blocks if block[0] not in (_COMMENTS, _PADDING)]
        blocks.insert(1, (_COMMENTS, comments))
        sound = file.read()
    with target.open("wb") as file:
        file.write(b"fLaC")
        for index, (kind, data) in enumerate(blocks):
            file.write(bytes([kind | (0x80 if index == len(blocks) - 1 else 0)]) + len(data).to_bytes(3, "big") + data)
        file.write(sound)


def _blocks(file: BinaryIO) -> list[tuple[int, bytes]]:
    """Read the metadata blocks as (type, data); afterwards the file is positioned at the sound."""
    if file.read(4) != b"fLaC":
        raise FlacError(Code.FLAC_MISSING)
    blocks: list[tuple[int, bytes]] = []
    last = False
    while not last:
        head = file.read(4)
        if len(head) < 4:
            raise FlacError(Code.FLAC_CUT_OFF)
        last, kind, length = bool(head[0] & 0x80), head[0] & 0x7F, int.from_bytes(head[1:], "big")
        data = file.read(length)
        if len(data) < length:
            raise FlacError(Code.FLAC_CUT_OFF)
        blocks.append((kind, data))
    if blocks[0][0] != _STREAM or len(blocks[0][1]) < 34:
        raise FlacError(Code.FLAC_MISSING)
    return blocks


def _fields(block: bytes) -> tuple[bytes, list[bytes]]:
    """Split a comment block into its vendor string and its ``KEY=text`` fields."""
    if not block:
        return b"", []
    try:
        fields = []
        (length,) = struct.unpack_from("<I", block, 0)
        vendor = block[4 : 4 + length]
        position = 4 + length
        (count,) = struct.unpack_from("<I", block, position)
        position += 4
        for _ in range(count):
            (length,) = struct.unpack_from("<I", block, position)
            fields.append(block[position + 4 : position + 4 + length])
            position += 4 + length
    except struct.error as error:
        raise FlacError(Code.FLAC_COMMENT_DAMAGED) from error
    return vendor, fields


def _split(field: bytes) -> tuple[str, str]:
    key, _, text = field.decode("utf-8", errors="replace").partition("=")
    return key.upper(), text


def _sized(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data
