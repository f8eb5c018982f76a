"""A small model file for tests that names other sounds and weighs evidence over time. It takes loud sound for crying.

Unlike `tiny_model` it has a head, so that it can be taught.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from babymonitor.core.labels import LABELS
from babymonitor.core.model.classifier import ModelCard, encode_golden
from babymonitor.core.model.evidence import Evidence
from babymonitor.core.model.features import FeatureSpec
from trainer.model_file.sealed_file import golden_probabilities, write_sealed

SPEC = FeatureSpec(
    kind="log_mel_vggish", n_fft=400, hop_length=160, n_mels=64, fmin_hz=125.0, fmax_hz=7500.0, floor=0.001
)
SOUNDS = ("dog", "quiet")
_SLOPE, _LOUD_LOG_POWER = 2.0, -5.9


def evidence(sounds: int = len(SOUNDS)) -> Evidence:
    """Weights by which the last second or two count: mostly P(crying), a little everything else."""
    crying = np.array([0.3, 0.3, 0.4, 0.0, 0.3, 0.0], np.float32)
    return Evidence(crying, np.full((2, sounds), 0.02, np.float32), 0.5)


def graph() -> onnx.ModelProto:
    """The graph: the mean of each band over a window is the embedding; P(crying) rises with the mean of all bands."""
    weights = np.zeros((len(LABELS), SPEC.n_mels), np.float32)
    bias = np.full(len(LABELS), -np.log(3.0), np.float32)
    weights[:4], bias[:4] = _SLOPE / SPEC.n_mels, -_SLOPE * _LOUD_LOG_POWER - np.log(4.0)
    sounds = np.stack((np.eye(SPEC.n_mels)[:16].sum(0) / 16, np.full(SPEC.n_mels, -1 / SPEC.n_mels)), 1)
    tensors = {"head.weight": weights, "head.bias": bias, "sounds.weight": sounds.astype(np.float32)}
    nodes = [
        helper.make_node("ReduceMean", ["features"], ["embedding"], axes=[2], keepdims=0),
        helper.make_node("Gemm", ["embedding", "head.weight", "head.bias"], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("MatMul", ["embedding", "sounds.weight"], ["sounds"]),
    ]
    model = helper.make_graph(
        nodes,
        "tiny ear",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 64, 96])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", len(LABELS)]),
            helper.make_tensor_value_info("sounds", TensorProto.FLOAT, ["batch", len(SOUNDS)]),
        ],
        [onnx.numpy_helper.from_array(values, name) for name, values in tensors.items()],
    )
    return helper.make_model(model, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def write(path: Path, **changes: Any) -> Path:
    """Write a sealed model file, with `changes` to its card."""
    wave = np.asarray(0.1 * np.sin(np.arange(15600) * 0.3), np.float32)
    card = ModelCard(
        name="tiny ear",
        family="yamnet_robust",
        created="2026-01-01",
        labels=tuple(LABELS),
        features=SPEC,
        window_frames=96,
        hop_frames=26,
        thresholds={"start": 0.6, "end": 0.3, "minimum_seconds": 0.0},
        operating_curve=[],
        calibration={},
        training={},
        metrics={},
        licence="MIT",
        golden={"wave": encode_golden(wave)},
        sounds=SOUNDS,
        evidence=evidence().to_dict(),
    )
    model = graph()
    golden = {**card.golden, "probabilities": golden_probabilities(model, card)}
    write_sealed(path, model, dataclasses.replace(card, golden=golden, **changes))
    return path
