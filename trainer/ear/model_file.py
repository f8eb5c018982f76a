"""Write the ear as a model file: the network with its weights in 8 bits, and a card with its evidence over time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import onnx
import torch

from babymonitor.core.model.classifier import ModelCard, encode_golden
from babymonitor.core.model.evidence import Evidence
from trainer.backbone.tagger import FEATURES
from trainer.ear.kinds import GROUPS
from trainer.ear.network import EAR_LABELS, EarNetwork
from trainer.model_file.export import golden_wave
from trainer.model_file.narrow import narrow_weights
from trainer.model_file.sealed_file import golden_probabilities, write_sealed
from trainer.networks import graphs
from trainer.networks.yamnet import PATCH_FRAMES

FAMILY = "yamnet_robust"
HOP_FRAMES = 26
"""0.26 s."""
GOLDEN_TOLERANCE = 0.01
"""Weights of 8 bits are widened before use, so that answers differ by rounding only; a depth of 28 layers adds up."""
NOTICE = (
    "Goes on from YAMNet (Plakal, M. and Ellis, D., Google, 2020), Apache License 2.0; its weights were changed. "
    "See NOTICE."
)


def ear_graph(network: EarNetwork) -> onnx.ModelProto:
    """The graph "features" (batch, bands, frames) → "probabilities", "sounds", weights in 8 bits."""
    example = torch.zeros(2, FEATURES.n_mels, PATCH_FRAMES)
    model = graphs.trace(network.eval(), example, "features", "probabilities", "sounds")
    narrow_weights(model, len(EAR_LABELS), 8)
    onnx.checker.check_model(model)
    return model


def write_ear(
    path: Path,
    network: EarNetwork,
    evidence: Evidence | None,
    thresholds: dict[str, float],
    **fields: Any,
) -> ModelCard:
    """Write the sealed file, to a temporary, then replace. Returns its card.

    evidence: None for a file that answers by each window alone, from which evidence is learnt. fields: others of the
    card: name, training, metrics, licence, operating_curve, calibration.
    """
    model = ear_graph(network)
    card = ModelCard(
        **{
            "name": "Default",
            "family": FAMILY,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "labels": EAR_LABELS,
            "features": FEATURES,
            "window_frames": PATCH_FRAMES,
            "hop_frames": HOP_FRAMES,
            "thresholds": thresholds,
            "operating_curve": [],
            "calibration": {},
            "training": {},
            "metrics": {},
            "licence": "",
            "golden": {"wave": encode_golden(golden_wave(FEATURES.samples(PATCH_FRAMES)))},
            "sounds": tuple(GROUPS),
            "evidence": {} if evidence is None else evidence.to_dict(),
            **fields,
        }
    )
    golden = {
        **card.golden,
        "probabilities": golden_probabilities(model, card),
        "tolerance": GOLDEN_TOLERANCE,
    }
    card = replace(card, golden=golden, training={"begun_from": NOTICE, **card.training})
    write_sealed(path, model, card)
    return card
