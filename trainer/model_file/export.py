"""Export a trained network as a model file: graph, calibration, card, golden pair and seal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import nn

from babymonitor.core.model.classifier import GOLDEN_TOLERANCE, ModelCard, encode_golden
from babymonitor.core.model.features import Mel, fit_frames, front_end
from babymonitor.core.sound.wave import Wave
from trainer.audio import synthetic
from trainer.model_file.sealed_file import rewrite_card, write_sealed
from trainer.networks import Front, graphs
from trainer.networks.classical import Estimator
from trainer.networks.heads import Calibrated, Calibration

__all__ = ["calibrated_graph", "golden_pair", "golden_wave", "rewrite_card", "write_model", "write_sealed"]


def golden_wave(samples: int, seed: int = 7) -> Wave:
    """Return the golden sound that travels with every model: a synthetic cry at half of full scale, (samples,)."""
    wave = synthetic.cry(np.random.default_rng(seed), samples)
    # 16-bit audio has no negative zero, and a count of sign changes would count it. Hence the addition.
    return np.asarray(np.round(wave * 32767) / 32767 + 0.0, np.float32)


def golden_pair(model: nn.Module, front: Front, cries: int = 1) -> tuple[Wave, list[float]]:
    """Return a wave and the probabilities that `model`, (B, rows, frames) → (B, labels), gives for it.

    cries: how many synthetic cries to try. Trees answer in steps: for a cry at the edge of a step, rounding on another
    machine could change the result, and the app would refuse the file. The first cry away from all edges is taken.
    """
    rng = np.random.default_rng(7)
    for seed in range(7, 7 + cries):
        wave = golden_wave(front.features.samples(front.window_frames), seed)
        mel = fit_frames(front_end(wave, front.features), front.window_frames)
        probabilities = _ask(model, mel)
        shaken = (mel * rng.normal(1, 1e-4, mel.shape).astype(np.float32) for _ in range(4 if cries > 1 else 0))
        if all(np.abs(_ask(model, noisy) - probabilities).max() < GOLDEN_TOLERANCE / 4 for noisy in shaken):
            break
    return wave, probabilities.tolist()


@torch.no_grad()
def _ask(model: nn.Module, mel: Mel) -> npt.NDArray[np.float32]:
    """(rows, frames) → (labels,)."""
    probabilities: npt.NDArray[np.float32] = model(torch.from_numpy(mel[None]))[0].numpy()
    return probabilities


def calibrated_graph(network: nn.Module, labels: tuple[str, ...], front: Front, calibration: Calibration) -> bytes:
    """Return the ONNX graph "features" (batch, rows, frames) → "probabilities" (batch, labels), calibrated."""
    if isinstance(network, Estimator):
        head = graphs.trace(
            Calibrated(nn.Identity(), labels, calibration), torch.zeros(2, len(labels)), "logits", "probabilities"
        )
        model = graphs.chain(network.to_onnx(), head)
    else:
        example = torch.zeros(2, front.features.rows, front.window_frames)
        model = graphs.trace(Calibrated(network, labels, calibration), example, "features", "probabilities")
    data: bytes = model.SerializeToString()
    return data


def write_model(
    path: Path,
    network: nn.Module,
    front: Front,
    calibration: Calibration,
    card: dict[str, Any],
) -> ModelCard:
    """Write the sealed file (to a temporary, then replace) and open it once, as the app would. Returns its card.

    card: the fields of ModelCard that only the caller knows: name, family, created, labels, thresholds,
    operating_curve, training, metrics, licence, and the description of the calibration.
    """
    labels = tuple(card["labels"])
    model = onnx.load_from_string(calibrated_graph(network, labels, front, calibration))
    onnx.checker.check_model(model)
    calibrated = Calibrated(network, labels, calibration).eval()
    wave, probabilities = golden_pair(calibrated, front, cries=20 if isinstance(network, Estimator) else 1)
    full_card = ModelCard(
        features=front.features,
        window_frames=front.window_frames,
        hop_frames=front.hop_frames,
        golden={"wave": encode_golden(wave), "probabilities": probabilities},
        **{**card, "labels": labels, "calibration": {**card["calibration"], **calibration.to_dict()}},
    )
    write_sealed(path, model, full_card)
    return full_card
