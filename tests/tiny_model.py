"""A model file for tests, written in a moment: it takes loud sound for crying. It can be opened, asked and sealed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from babymonitor.core.model.classifier import METADATA_KEY, ModelCard, encode_golden, seal
from babymonitor.core.model.features import FeatureSpec, fit_frames, log_mel

LABELS = ("hungry", "pain", "tired", "sad", "happy", "natural", "background")
LOUD_LOG_POWER = -8.0
"""Mean log-mel above which the tiny model says crying."""
SOUND_LOG_POWER = -8.0
"""The same for the first of its sounds; see `graph_bytes`."""


def graph_bytes(card: ModelCard | None, metadata: dict[str, str] | None = None) -> bytes:
    """Return a graph of softmax (x, 0, 0, 0, 0, 0, -x), where x = 2 * (mean of the log-mel - LOUD_LOG_POWER).

    Of a card's sounds the first is likely where it is louder than SOUND_LOG_POWER, and all others where it is not.
    """
    weights = np.array([2, 0, 0, 0, 0, 0, -2], np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["features", "axes"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "threshold"], ["above"]),
        helper.make_node("Unsqueeze", ["above", "last"], ["column"]),
        helper.make_node("Mul", ["column", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 7])]
    constants = []
    if card is not None and card.sounds:
        count = len(card.sounds)
        nodes += [
            helper.make_node("Sub", ["mean", "sound_threshold"], ["above_sound"]),
            helper.make_node("Unsqueeze", ["above_sound", "last"], ["sound_column"]),
            helper.make_node("Mul", ["sound_column", "sound_weights"], ["sounds"]),
        ]
        outputs.append(helper.make_tensor_value_info("sounds", TensorProto.FLOAT, ["batch", count]))
        sound_weights = np.array([4] + [-4] * (count - 1), np.float32)
        constants = [
            onnx.numpy_helper.from_array(np.array(SOUND_LOG_POWER, np.float32), "sound_threshold"),
            onnx.numpy_helper.from_array(sound_weights, "sound_weights"),
        ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 64, 124])],
        outputs,
        [
            *constants,
            onnx.numpy_helper.from_array(np.array([1, 2], np.int64), "axes"),
            onnx.numpy_helper.from_array(np.array([1], np.int64), "last"),
            onnx.numpy_helper.from_array(np.array(LOUD_LOG_POWER, np.float32), "threshold"),
            onnx.numpy_helper.from_array(weights, "weights"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if card is not None:
        helper.set_model_props(model, {METADATA_KEY: card.to_json(), **(metadata or {})})
    result: bytes = model.SerializeToString()
    return result


def card(**changes: Any) -> ModelCard:
    """Return the tiny model's card, with a correct golden pair and with `changes`."""
    spec = FeatureSpec()
    wave = np.asarray(0.1 * np.sin(np.arange(32000) * 0.3), np.float32)
    x = 2 * (fit_frames(log_mel(wave, spec), 124).mean() - LOUD_LOG_POWER)
    logits = np.array([x, 0, 0, 0, 0, 0, -x])
    probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    model_card = ModelCard(
        name="tiny",
        family="test",
        created="2026-01-01",
        labels=LABELS,
        features=spec,
        window_frames=124,
        hop_frames=16,
        thresholds={"start": 0.6, "end": 0.3},
        operating_curve=[],
        calibration={},
        training={},
        metrics={},
        licence="MIT",
        golden={"wave": encode_golden(wave), "probabilities": [float(p) for p in probabilities]},
    )
    return dataclasses.replace(model_card, **changes)


def write(path: Path, **changes: Any) -> Path:
    """Write a sealed model file."""
    path.write_bytes(seal(graph_bytes(card(**changes))))
    return path
