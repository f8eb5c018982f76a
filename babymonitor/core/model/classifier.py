"""The model file: an `.onnx` that contains everything needed to use it correctly, and is checked when it is opened.

Graph: input ``features`` (batch, rows, window_frames) float32 → output ``probabilities`` (batch, labels) float32,
calibrated, each row summing to one; and, in a model that names other sounds, → ``sounds`` (batch, sounds) float32,
log-odds. Metadata: one JSON object under the key ``babymonitor`` (see `ModelCard`).

The last bytes of the file are a seal: a further metadata entry with the SHA-256 of everything before it. Protocol
buffers may be concatenated, so a sealed file is an ordinary ONNX file, and a single changed byte is noticed without
parsing it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.labels import label
from babymonitor.core.messages import Code, PersonError
from babymonitor.core.model.evidence import LIMIT, Evidence
from babymonitor.core.model.features import FeatureError, FeatureSpec, Mel, fit_frames, front_end
from babymonitor.core.sound.wave import Wave

METADATA_KEY = "babymonitor"
FORMAT, FORMAT_WITH_EVIDENCE = 1, 2
"""A file with evidence over time would wake nobody, or everybody, in a version that does not know it."""
GOLDEN_TOLERANCE = 2e-3
"""The largest difference between replayed and stored golden output: runtimes and processors round differently."""
WIDEST_GOLDEN_TOLERANCE = 0.05
"""The limit of what a quantised model may ask for in ``golden["tolerance"]``; a wider one would notice nothing."""

LONGEST_WINDOW_SECONDS = 30.0
_LARGEST_BYTES = 2**31 - 1
_LARGE_BYTES = 32 * 2**20
# ModelProto.metadata_props is field 14; StringStringEntryProto is {1: key, 2: value}. 64 hexadecimal digits follow.
_SEAL_HEAD = bytes([14 << 3 | 2, 2 + 6 + 2 + 64, 0x0A, 6]) + b"sha256" + bytes([0x12, 64])
_SEAL_BYTES = len(_SEAL_HEAD) + 64


class ModelError(PersonError):
    """A model file that cannot be used."""


def seal(model: bytes) -> bytes:
    """The bytes of an ONNX model, followed by their seal."""
    return model + _SEAL_HEAD + hashlib.sha256(model).hexdigest().encode()


def encode_golden(wave: Wave) -> str:
    """Encode a short wave (samples,) as text for the metadata: 16-bit, deflated, base64."""
    samples = np.clip(np.round(wave * 32767.0), -32768, 32767).astype("<i2")
    return base64.b64encode(zlib.compress(samples.tobytes(), 9)).decode()


def decode_golden(text: str) -> Wave:
    """Decode the text of `encode_golden`: (samples,) float32."""
    samples = np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), "<i2")
    return samples.astype(np.float32) / np.float32(32767.0)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The description inside a model file. Every field but the last two is required.

    window_frames, hop_frames: length of a window and distance to the next one, in mel frames.
    thresholds: the ``start`` and ``end`` of P(crying) that suit this model.
    operating_curve: rows of start threshold, false alarms per hour, share of cries caught, delays, and hours listened
    (see `core.alerts.sensitivity`); may be empty.
    calibration, training, metrics: how it was made, and how good it is on groups it was not trained on.
    sounds: what the columns of the output ``sounds`` are about (see `core.model.sounds`).
    evidence: the weights of `core.model.evidence`; {} for a model that wakes by each window alone.
    """

    name: str
    family: str
    created: str
    labels: tuple[str, ...]
    features: FeatureSpec
    window_frames: int
    hop_frames: int
    thresholds: dict[str, float]
    operating_curve: list[dict[str, float]]
    calibration: dict[str, Any]
    training: dict[str, Any]
    metrics: dict[str, Any]
    licence: str
    golden: dict[str, Any]
    sounds: tuple[str, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def window_samples(self) -> int:
        return self.features.samples(self.window_frames)

    @property
    def hop_samples(self) -> int:
        return self.hop_frames * self.features.hop_length

    @property
    def window_seconds(self) -> float:
        return self.window_samples / self.features.sample_rate

    @property
    def hop_seconds(self) -> float:
        return self.hop_samples / self.features.sample_rate

    @property
    def tells_reasons(self) -> bool:
        """Whether the crying labels may be told apart: False where that was measured on other babies and is no better
        than chance.
        """
        figures = self.metrics.get("reasons") if isinstance(self.metrics, dict) else None
        try:
            return figures is None or float(figures["balanced_accuracy"]["low"]) > float(figures["chance"])
        except (KeyError, TypeError, ValueError):
            return False

    def to_json(self) -> str:
        values = {name: getattr(self, name) for name in self.__slots__}
        values["labels"] = list(self.labels)
        values["features"] = self.features.to_dict()
        values["sounds"] = list(self.sounds)
        number = FORMAT_WITH_EVIDENCE if self.evidence else FORMAT
        return json.dumps({"format": number, **values}, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Parse a card. Raises ModelError naming what is missing or impossible."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(Code.MODEL_CARD_UNREADABLE) from error
        if not isinstance(values, dict) or values.pop("format", None) not in (FORMAT, FORMAT_WITH_EVIDENCE):
            raise ModelError(Code.MODEL_CARD_TOO_NEW)
        values = {"sounds": [], "evidence": {}, **values}
        missing = [name for name in cls.__slots__ if name not in values]
        if missing:
            raise ModelError(Code.MODEL_CARD_INCOMPLETE, names=", ".join(missing))
        try:
            card = cls(
                **{name: values[name] for name in cls.__slots__ if name not in ("labels", "features", "sounds")},
                labels=tuple(str(name) for name in values["labels"]),
                sounds=tuple(str(name) for name in values["sounds"]),
                features=FeatureSpec.from_dict(values["features"]),
            )
            start, end = float(card.thresholds["start"]), float(card.thresholds["end"])
            if card.evidence:
                Evidence.from_dict(card.evidence, len(card.sounds))
        except (FeatureError, KeyError, TypeError, ValueError) as error:
            raise ModelError(Code.MODEL_CARD_WRONG, reason=str(error)) from error
        if not card.labels or len(set(card.labels)) != len(card.labels):
            raise ModelError(Code.MODEL_LABELS_WRONG)
        if not (0 < end <= start < 1):
            raise ModelError(Code.MODEL_THRESHOLDS_WRONG)
        if not (1 <= card.hop_frames <= card.window_frames and 0.1 <= card.window_seconds <= LONGEST_WINDOW_SECONDS):
            raise ModelError(Code.MODEL_WINDOW_WRONG)
        return card


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says of one window: probabilities (labels,), and log-odds of other sounds (sounds,)."""

    probabilities: npt.NDArray[np.float32]
    sounds: npt.NDArray[np.float32]


class Classifier:
    """An opened model file: a window of features in, a calibrated probability per label out.

    Use it from one thread at a time; the GIL is released while the network runs. Opening raises ModelError if the file
    is missing, altered, incomplete, or does not reproduce its golden output.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._naming_itself():
            self._open()

    @contextmanager
    def _naming_itself(self) -> Iterator[None]:
        """Turn the clause of a ModelError raised inside into a sentence that names the file."""
        try:
            yield
        except ModelError as error:
            raise ModelError(Code.MODEL_UNUSABLE, name=self.path.name, reason=error.message) from error.__cause__

    def _open(self) -> None:
        path = self.path
        try:
            if path.stat().st_size > _LARGEST_BYTES:
                raise ModelError(Code.MODEL_TOO_LARGE)
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(Code.MODEL_UNREADABLE, reason=str(error.strerror)) from error
        _check_seal(data)
        # Imported late: it takes a fifth of a second, and the window appears sooner without it.
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # On a busy machine, two threads were up to ten times slower for a small network.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        # Mapping a large network's buffers anew for each window would take a quarter of the time.
        options.enable_cpu_mem_arena = len(data) > _LARGE_BYTES
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            metadata = self._session.get_modelmeta().custom_metadata_map
            inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        except Exception as error:  # ONNX Runtime's exceptions share no other base
            raise ModelError(Code.MODEL_NOT_ONNX) from error
        if METADATA_KEY not in metadata:
            raise ModelError(Code.MODEL_WITHOUT_CARD)
        self.card = ModelCard.from_json(metadata[METADATA_KEY])
        self._outputs = ["probabilities", "sounds"] if self.card.sounds else ["probabilities"]
        given = {item.name for item in outputs}
        if [item.name for item in inputs] != ["features"] or not given.issuperset(self._outputs):
            raise ModelError(Code.MODEL_GRAPH_WRONG)
        self.evidence = Evidence.from_dict(self.card.evidence, len(self.card.sounds)) if self.card.evidence else None
        self._crying = np.array([label(name).crying for name in self.card.labels])
        self._replay_golden()

    @property
    def labels(self) -> tuple[str, ...]:
        return self.card.labels

    def probabilities(self, window: Mel) -> npt.NDArray[np.float32]:
        """Calibrated probabilities (labels,) of a window (rows, window_frames). ModelError if the network fails."""
        return self.answer(window).probabilities

    def answer(self, window: Mel) -> Answer:
        """The whole answer to a window (rows, window_frames). ModelError if the network fails."""
        with self._naming_itself():
            return self._ask(window)

    def _ask(self, window: Mel) -> Answer:
        try:
            results = self._session.run(self._outputs, {"features": window[None]})
        except Exception as error:  # as above
            raise ModelError(Code.MODEL_FAILS) from error
        probabilities, *sounds = (np.asarray(result, np.float32).reshape(-1) for result in results)
        answer = Answer(probabilities, np.clip(sounds[0], -LIMIT, LIMIT) if sounds else np.zeros(0, np.float32))
        if (answer.probabilities.size, answer.sounds.size) != (len(self.card.labels), len(self.card.sounds)) or not (
            np.isfinite(answer.probabilities).all() and np.isfinite(answer.sounds).all()
        ):
            raise ModelError(Code.MODEL_ANSWER_WRONG)
        return answer

    def probabilities_of_wave(self, wave: Wave) -> npt.NDArray[np.float32]:
        """Probabilities (labels,) of the last window of a wave (samples,) at the model's sampling rate.

        A wave shorter than the window is mirrored to fill it. Raises ValueError if it is shorter than a frame.
        """
        return self.probabilities(self._window_of(wave))

    def _window_of(self, wave: Wave) -> Mel:
        mel = front_end(wave[-self.card.window_samples :], self.card.features)
        return fit_frames(mel, self.card.window_frames)

    def crying(self, probabilities: npt.NDArray[np.float32]) -> float:
        """P(crying): the sum of the probabilities of the crying labels, in [0, 1]."""
        return float(np.clip(probabilities[self._crying].sum(), 0.0, 1.0))

    def with_crying(self, probabilities: npt.NDArray[np.float32], crying: float) -> npt.NDArray[np.float32]:
        """Probabilities (labels,) with another P(crying); what is on one side keeps its proportions."""
        return np.asarray(with_crying(probabilities[None], self._crying, np.array([crying]))[0])

    def sounds(self, answer: Answer) -> dict[str, float]:
        """The probability of each sound that the model names beside its labels; {} for one that names none."""
        shares = 1.0 / (1.0 + np.exp(-answer.sounds))
        return dict(zip(self.card.sounds, map(float, shares), strict=True))

    def reasons(self, probabilities: npt.NDArray[np.float32]) -> dict[str, float]:
        """The probability of each crying label given that it is crying, summing to 1.

        {} if no label means crying, and for a model that cannot tell them apart (see `ModelCard.tells_reasons`).
        """
        total = float(probabilities[self._crying].sum())
        if total <= 0 or not self.card.tells_reasons:
            return {}
        return {self.card.labels[index]: float(probabilities[index]) / total for index in np.flatnonzero(self._crying)}

    def _replay_golden(self) -> None:
        try:
            wave = decode_golden(self.card.golden["wave"])
            expected = np.asarray(self.card.golden["probabilities"], np.float32)
            tolerance = min(float(self.card.golden.get("tolerance", GOLDEN_TOLERANCE)), WIDEST_GOLDEN_TOLERANCE)
            actual = self._ask(self._window_of(wave)).probabilities
        except (KeyError, TypeError, ValueError, binascii.Error, zlib.error) as error:
            raise ModelError(Code.MODEL_GOLDEN_BROKEN) from error
        if expected.shape != actual.shape or not np.allclose(expected, actual, atol=tolerance):
            raise ModelError(Code.MODEL_GOLDEN_DIFFERS)


def with_crying(
    probabilities: npt.NDArray[np.float32], is_crying: npt.NDArray[np.bool_], crying: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Probabilities (N, labels) with another P(crying), (N,); what is on one side keeps its proportions.

    is_crying: (labels,). A row with nothing on one of the sides stays as it is.
    """
    total, rest = (probabilities[:, side].sum(1, keepdims=True) for side in (is_crying, ~is_crying))
    divided = (total > 0) & (rest > 0)
    shares = np.where(is_crying, crying[:, None], 1 - crying[:, None])
    sums = np.where(divided, np.where(is_crying, total, rest), 1.0)
    return np.asarray(np.where(divided, probabilities * (shares / sums), probabilities), np.float32)


def _check_seal(data: bytes) -> None:
    head, digest = data[-_SEAL_BYTES:-64], data[-64:]
    if head != _SEAL_HEAD:
        raise ModelError(Code.MODEL_UNSEALED)
    if hashlib.sha256(data[:-_SEAL_BYTES]).hexdigest().encode() != digest:
        raise ModelError(Code.MODEL_ALTERED)
