"""The model files there are, each with its card, and which of them is in use.

Cards are read without opening the network, so that a list of many large models comes at once.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from babymonitor.core import paths
from babymonitor.core.messages import Code, Message, message
from babymonitor.core.model.classifier import METADATA_KEY, ModelCard, ModelError
from babymonitor.core.settings import MODEL, PREVIOUS_MODEL, Setting, Settings

_METADATA_FIELD = 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file. card: None if it cannot be read; then `complaint` says why. made: Unix seconds."""

    path: Path
    card: ModelCard | None
    complaint: str
    is_shipped: bool
    made: float

    @property
    def title(self) -> str:
        return self.card.name if self.card is not None else self.path.stem

    @property
    def kind(self) -> str:
        """``shipped``, ``taught`` (an adapter on another model) or ``trained``."""
        if self.is_shipped:
            return "shipped"
        return "taught" if self.card is not None and "taught" in self.card.training else "trained"


def model_files() -> list[ModelFile]:
    """The shipped model, then the person's own, newest first."""
    own = []
    with contextlib.suppress(OSError):
        own = [_model_file(path, False) for path in paths.models_folder().glob("*.onnx")]
    return [_model_file(paths.default_model(), True), *sorted(own, key=_newest_first)]


def _newest_first(file: ModelFile) -> tuple[float, str]:
    return -file.made, file.path.name


def _model_file(path: Path, is_shipped: bool) -> ModelFile:
    made = 0.0
    try:
        made = path.stat().st_mtime
        return ModelFile(path, read_card(path), "", is_shipped, made)
    except (OSError, ModelError) as error:
        reason = str(error.strerror) if isinstance(error, OSError) else error.message
        complaint = message(Code.MODEL_UNUSABLE, name=path.name, reason=reason)
        return ModelFile(path, None, complaint, is_shipped, made)


def read_card(path: Path) -> ModelCard:
    """Read the card of a model file, skipping the network. Raises ModelError or OSError.

    Walks the top level of the protocol buffer: https://protobuf.dev/programming-guides/encoding/
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        while file.tell() < size:
            tag = _varint(file)
            field, kind = tag >> 3, tag & 7
            if kind == _BYTES:
                length = _varint(file)
                if length > size - file.tell():
                    raise ModelError(Code.MODEL_CUT_OFF)
                if field == _METADATA_FIELD:
                    key, value = _entry(file.read(length))
                    if key == METADATA_KEY:
                        return ModelCard.from_json(value)
                else:
                    file.seek(length, 1)
            elif kind == _VARINT:
                _varint(file)
            elif kind in (_FIXED64, _FIXED32):
                file.seek(8 if kind == _FIXED64 else 4, 1)
            else:
                raise ModelError(Code.MODEL_NOT_A_MODEL)
    raise ModelError(Code.MODEL_WITHOUT_CARD)


def check_usable(path: Path) -> None:
    """Raise ModelError, with the sentence for a person, for a file that must not be taken into use."""
    if not path.is_file():
        raise ModelError(Code.MODEL_FILE_MISSING, path=path)


def take_into_use(settings: Settings, path: Path) -> None:
    """Make a model file (`.onnx` or `.pt`) the one in use, and remember the one before as the way back.

    ModelError where it is refused; then nothing has changed. OSError where the settings could not be saved; then it
    holds for this run.
    """
    value = "" if path == paths.default_model() else str(path)
    before = settings[MODEL]
    if value == before:
        return
    if value:
        check_usable(path)
    # The way back first: if the program is killed in between, the model in use is still the old one.
    _set(settings, (PREVIOUS_MODEL, before), (MODEL, value))


def can_roll_back(settings: Settings) -> bool:
    """Whether there is another model to go back to."""
    return settings[PREVIOUS_MODEL] != settings[MODEL]


def roll_back(settings: Settings) -> Message | None:
    """Use the model before this one again; called twice, this one again. OSError as in `take_into_use`.

    Returns a sentence where the file before is gone and the shipped model is used instead.
    """
    wanted, before = settings[PREVIOUS_MODEL], settings[MODEL]
    complaint = None
    if wanted and not Path(wanted).is_file():
        complaint = message(Code.MODEL_BEFORE_MISSING, name=Path(wanted).name)
        wanted = ""
    _set(settings, (MODEL, wanted), (PREVIOUS_MODEL, before))
    return complaint


def _set(settings: Settings, *changes: tuple[Setting[str], str]) -> None:
    """Make all changes for this run, whichever of them cannot be saved; then OSError."""
    refusal: OSError | None = None
    for setting, value in changes:
        try:
            settings[setting] = value
        except OSError as error:
            refusal = error
    if refusal is not None:
        raise refusal


def move_to_trash(path: Path) -> Path:
    """Move one of the person's models to the trash; returns its new path. Raises OSError.

    Its rehearsal file stays: a model that was taught from it may be taught again.
    """
    folder = _trash()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{path.stem}-{time.strftime('%Y%m%d-%H%M%S')}{path.suffix}"
    shutil.move(path, target)
    with contextlib.suppress(OSError):
        os.utime(target)  # the time of deletion, for `purge_trash`
    return target


def purge_trash(now: float, older_than_days: float = 30.0) -> None:
    """Permanently delete models that were moved to the trash more than `older_than_days` ago."""
    with contextlib.suppress(OSError):
        for path in _trash().glob("*.onnx"):
            if path.is_file() and path.stat().st_mtime < now - older_than_days * 86400.0:
                path.unlink()


def _trash() -> Path:
    return paths.trash_folder() / "models"


def _varint(file: BinaryIO) -> int:
    value = shift = 0
    while shift < 64:
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7
    raise ModelError(Code.MODEL_NOT_A_MODEL_OR_CUT_OFF)


def _entry(data: bytes) -> tuple[str, str]:
    """Decode a metadata entry, two strings each preceded by tag and length: (key, value)."""
    parts = {1: "", 2: ""}
    position = 0
    while position < len(data):
        field, position = data[position] >> 3, position + 1
        length = shift = 0
        while position < len(data):
            byte, position = data[position], position + 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        parts[field] = data[position : position + length].decode("utf-8", "replace")
        position += length
    return parts[1], parts[2]
