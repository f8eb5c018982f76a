"""What a network answers to validation windows, and how good that is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from trainer.evaluation import metrics
from trainer.networks.heads import Calibration, TwoLevel
from trainer.windows.fixed_windows import Windows


@torch.no_grad()
def logits_of(network: nn.Module, windows: Windows) -> Tensor:
    """Return (N, labels) raw logits of all windows."""
    network.eval()
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    # Fewer windows of raw waves at a time: what a large network makes of them takes gigabytes.
    batch = 32 if windows.mels.shape[1] == 1 else 256
    starts = range(0, len(windows.mels), batch)
    parts = [network(torch.from_numpy(windows.mels[start : start + batch]).to(device)).cpu() for start in starts]
    return torch.cat(parts)


def epoch_figures(network: nn.Module, labels: tuple[str, ...], windows: Windows) -> dict[str, float]:
    """Return figures of one epoch: balanced accuracy, and the ROC area of crying where labels have both sides."""
    logits, two_level = logits_of(network, windows), TwoLevel(labels)
    guess = two_level.probabilities(logits, Calibration()).argmax(1).numpy()
    recalls = [float((guess[windows.labels == index] == index).mean()) for index in np.unique(windows.labels)]
    figures = {"balanced_accuracy": round(float(np.mean(recalls)), 4)}
    if two_level.two_sided:
        crying = two_level.crying.numpy()[windows.labels]
        figures["crying_auc"] = round(metrics.roc_area(two_level.evidence(logits).numpy(), crying), 4)
    return figures


def calibrated_figures(two_level: TwoLevel, probabilities: Tensor, truth: npt.NDArray[np.int64]) -> dict[str, float]:
    """Return the card's figures of calibrated probabilities (N, labels) against label indices (N,)."""
    table = metrics.confusion(truth, probabilities.argmax(1).numpy(), probabilities.shape[1])
    figures = {"balanced_accuracy": metrics.balanced_accuracy(table), "macro_f1": metrics.macro_f1(table)}
    if two_level.two_sided:
        cries = two_level.crying.numpy()[truth]
        scores = probabilities[:, two_level.crying_at].sum(1).numpy()
        figures["crying_auc"] = metrics.roc_area(scores, cries)
        figures["crying_found_at_1_percent"] = metrics.recall_at(scores, cries, 0.01)
    return {name: round(value, 4) for name, value in figures.items()}
