"""A trained network becomes one model file: graph, calibration, card, golden pair, seal."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from babymonitor.core.classifier import METADATA_KEY, Classifier, ModelCard, encode_golden, seal
from babymonitor.core.features import Wave, fit_frames, front_end
from trainer import synthetic
from trainer.networks import Front
from trainer.networks.heads import Calibrated, Calibration


def golden_wave(samples: int) -> Wave:
    """The sound whose answer travels with every model: a cry made from nothing, at half of full scale."""
    wave = synthetic.cry(np.random.default_rng(7), samples)
    return np.asarray(np.round(wave * 32767) / 32767, np.float32)


def graph(network: nn.Module, labels: tuple[str, ...], front: Front, calibration: Calibration) -> bytes:
    """The ONNX graph "features" (batch, rows, frames) → "probabilities" (batch, labels), calibrated."""
    whole = Calibrated(network, labels, calibration).eval()
    example = torch.zeros(2, front.features.rows, front.window_frames)
    memory = io.BytesIO()
    with warnings.catch_warnings():
        # torch's exporters warn about each other; the test that compares the outputs is what counts.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            whole,
            (example,),
            memory,  # type: ignore[arg-type] # its annotation forgets that files are taken
            input_names=["features"],
            output_names=["probabilities"],
            dynamic_axes={"features": {0: "batch"}, "probabilities": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
    return memory.getvalue()


def write_model(
    path: Path,
    network: nn.Module,
    front: Front,
    calibration: Calibration,
    card: dict[str, Any],
) -> ModelCard:
    """Write the sealed file (temporary, then replace) and open it once, as the app would. → its card.

    card: the fields of ModelCard that are not known here: name, family, created, labels, thresholds, operating_curve,
    training, metrics, licence, and calibration's description.
    """
    labels = tuple(card["labels"])
    model = onnx.load_from_string(graph(network, labels, front, calibration))
    wave = golden_wave(front.features.samples(front.window_frames))
    mel = fit_frames(front_end(wave, front.features), front.window_frames)
    with torch.no_grad():
        answer = Calibrated(network, labels, calibration).eval()(torch.from_numpy(mel[None]))[0].tolist()
    whole = ModelCard(
        features=front.features,
        window_frames=front.window_frames,
        hop_frames=front.hop_frames,
        golden={"wave": encode_golden(wave), "probabilities": answer},
        **{**card, "labels": labels, "calibration": {**card["calibration"], **calibration.to_dict()}},
    )
    del model.metadata_props[:]
    model.metadata_props.add(key=METADATA_KEY, value=whole.to_json())
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part.onnx")
    try:
        partial.write_bytes(seal(model.SerializeToString()))
        Classifier(partial)  # replays the golden pair through ONNX Runtime: a bad export never gets its name
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return whole


def rewrite_card(path: Path, **changes: Any) -> ModelCard:
    """Put other words into a model's card (figures measured later, say), the network left as it is."""
    card = replace(Classifier(path).card, **changes)
    model = onnx.load_from_string(path.read_bytes())
    del model.metadata_props[:]
    model.metadata_props.add(key=METADATA_KEY, value=card.to_json())
    partial = path.with_suffix(".part.onnx")
    try:
        partial.write_bytes(seal(model.SerializeToString()))
        Classifier(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return card
