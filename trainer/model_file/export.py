"""A trained network becomes one model file: graph, calibration, card, golden pair, seal."""

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
    """The sound whose answer travels with every model: a cry made from nothing, at half of full scale."""
    wave = synthetic.cry(np.random.default_rng(seed), samples)
    # In 16 bits there is no negative zero, and who counts changes of sign would count one.
    return np.asarray(np.round(wave * 32767) / 32767 + 0.0, np.float32)


def golden_pair(whole: nn.Module, front: Front, cries: int = 1) -> tuple[Wave, list[float]]:
    """A wave and what `whole`, (B, rows, frames) → (B, labels), answers to it.

    cries: how many cries to try. Trees answer in steps: of a cry that lies on the edge of one, another machine's
    rounding would make another answer, and the app would refuse the file. The first that lies on none is taken.
    """
    rng = np.random.default_rng(7)
    for seed in range(7, 7 + cries):
        wave = golden_wave(front.features.samples(front.window_frames), seed)
        mel = fit_frames(front_end(wave, front.features), front.window_frames)
        answer = _ask(whole, mel)
        shaken = (mel * rng.normal(1, 1e-4, mel.shape).astype(np.float32) for _ in range(4 if cries > 1 else 0))
        if all(np.abs(_ask(whole, other) - answer).max() < GOLDEN_TOLERANCE / 4 for other in shaken):
            break
    return wave, answer.tolist()


@torch.no_grad()
def _ask(whole: nn.Module, mel: Mel) -> npt.NDArray[np.float32]:
    """(rows, frames) → (labels,)."""
    answer: npt.NDArray[np.float32] = whole(torch.from_numpy(mel[None]))[0].numpy()
    return answer


def calibrated_graph(network: nn.Module, labels: tuple[str, ...], front: Front, calibration: Calibration) -> bytes:
    """The ONNX graph "features" (batch, rows, frames) → "probabilities" (batch, labels), calibrated."""
    if isinstance(network, Estimator):
        head = graphs.traced(
            Calibrated(nn.Identity(), labels, calibration), torch.zeros(2, len(labels)), "logits", "probabilities"
        )
        whole = graphs.chained(network.to_onnx(), head)
    else:
        example = torch.zeros(2, front.features.rows, front.window_frames)
        whole = graphs.traced(Calibrated(network, labels, calibration), example, "features", "probabilities")
    data: bytes = whole.SerializeToString()
    return data


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
    model = onnx.load_from_string(calibrated_graph(network, labels, front, calibration))
    onnx.checker.check_model(model)
    calibrated = Calibrated(network, labels, calibration).eval()
    wave, answer = golden_pair(calibrated, front, cries=20 if isinstance(network, Estimator) else 1)
    whole = ModelCard(
        features=front.features,
        window_frames=front.window_frames,
        hop_frames=front.hop_frames,
        golden={"wave": encode_golden(wave), "probabilities": answer},
        **{**card, "labels": labels, "calibration": {**card["calibration"], **calibration.to_dict()}},
    )
    write_sealed(path, model, whole)
    return whole
