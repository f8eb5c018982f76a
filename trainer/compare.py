"""Families side by side: trained on the same sides of the same data, judged by their model files on groups never met.

What each run leaves (its model file, and its judgements as JSON) is kept, so that a comparison of many hours that was
stopped goes on where it stopped, and folds of one family can be judged together.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper

from babymonitor.core.classifier import Classifier
from trainer.batches import fixed_windows
from trainer.corpora import DataError
from trainer.figures import figures_of, of_clips
from trainer.fit import Event
from trainer.networks import FAMILIES, Front
from trainer.run import Request, prepared, train


def compare(requests: Sequence[Request], work: Path, title: str, command: str, event: Event | None) -> dict[str, Any]:
    """One comparison, as `report.write_comparison` takes it; the requests of one family are its folds.

    A family that cannot be trained here (weights that cannot be had, say) becomes a row that says why.
    """
    work.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    labels: list[str] = []
    for family in dict.fromkeys(request.family for request in requests):
        folds = [request for request in requests if request.family == family]
        try:
            runs = [_run(request, work, event) for request in folds]
        except DataError as error:
            if not FAMILIES[family].weights:
                raise
            print(f"{family}: {error}", file=sys.stderr)
            continue
        rows.append(_row(family, folds, runs))
        labels = runs[0]["labels"]
    if not rows:
        raise DataError("Not one of the families could be trained.")
    return {
        "title": title,
        "data": requests[0].data.name,
        "labels": labels,
        "chance": round(1 / len(labels), 4),
        "protocol": _protocol(requests[0], len({request.division for request in requests})),
        "command": command,
        "rows": rows,
    }


def _identity(request: Request) -> str:
    """What a run depends on, but for where it lies and how many processes drew for it."""
    values = {**asdict(request), "recipe": {**asdict(request.recipe), "workers": 0}}
    for name in ("output", "resume", "cache", "device"):
        del values[name]
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _run(request: Request, work: Path, event: Event | None) -> dict[str, Any]:
    """Train and judge, or read what was judged before. The model file stays in `work`."""
    stem = f"{request.family}-{_identity(request)}"
    told = work / f"{stem}.json"
    if told.is_file():
        before: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
        return before
    request = replace(request, output=work / f"{stem}.onnx", name=request.family)
    request = replace(request, resume=request.checkpoint.is_file())
    began = time.monotonic()
    train(request, event)
    result = judged(request) | {"train_seconds": round(time.monotonic() - began, 1)}
    request.checkpoint.unlink(missing_ok=True)
    partial = told.with_suffix(".part")
    partial.write_text(json.dumps(result), encoding="utf-8")
    partial.replace(told)
    return result


def judged(request: Request) -> dict[str, Any]:
    """What the model file says of the test side: probabilities, truth, group and clip of each window, and its cost."""
    classifier = Classifier(request.output)
    data, _, waves = prepared(request)
    card = classifier.card
    front = Front(card.features, card.window_frames, card.hop_frames)
    windows = fixed_windows(data.side("test"), waves, data.labels, front)
    began = time.perf_counter()
    rows = [classifier.probabilities(np.ascontiguousarray(window)) for window in windows.mels]
    spent = (time.perf_counter() - began) / len(rows)
    weights = onnx.load_from_string(request.output.read_bytes()).graph.initializer
    return {
        "labels": list(classifier.labels),
        "probabilities": [[round(float(value), 5) for value in row] for row in rows],
        "truth": windows.labels.tolist(),
        "groups": windows.groups.tolist(),
        "clips": windows.clips.tolist(),
        "milliseconds_per_window": round(1e3 * spent, 3),
        "file_bytes": request.output.stat().st_size,
        "parameters": int(sum(np.prod(one.dims) for one in weights)),
    }


def _row(family: str, folds: Sequence[Request], runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A family's folds, judged together."""
    labels = runs[0]["labels"]
    rows = np.concatenate([np.asarray(run["probabilities"]) for run in runs])
    truth = np.concatenate([np.asarray(run["truth"]) for run in runs])
    groups = np.concatenate([np.asarray(run["groups"]) for run in runs])
    clips = np.concatenate([np.asarray(run["clips"]) for run in runs])
    clip_rows, clip_truth, clip_groups, _ = of_clips(rows, truth, groups, clips)
    return {
        "family": family,
        "about": FAMILIES[family].about,
        "note": _note(folds[0]),
        "parameters": runs[0]["parameters"],
        "file_bytes": runs[0]["file_bytes"],
        "train_seconds": round(sum(run["train_seconds"] for run in runs) / len(runs), 1),
        "milliseconds_per_window": float(np.median([run["milliseconds_per_window"] for run in runs])),
        "clips": figures_of(clip_rows, clip_truth, clip_groups, labels),
        "windows": figures_of(rows, truth, groups, labels),
        "protocol": "random split" if folds[0].division.by_clip else "grouped",
    }


def _note(request: Request) -> str:
    family = FAMILIES[request.family]
    if not family.weights:
        return ""
    weights = request.weights or family.weights
    return (
        "a small configuration from random weights, not the published one"
        if weights == "random" and "published" in family.needs
        else f"weights: {Path(weights).name}"
    )


def _protocol(request: Request, folds: int) -> str:
    division = request.division
    who = "clips, whoever speaks in them" if division.by_clip else "groups (babies, speakers, recordings)"
    if division.folds:
        return f"{folds} of {division.folds} folds over {who}"
    if division.sides is not None:
        return f"given sides ({division.sides.name}), no group on two of them"
    return f"{' / '.join(f'{share:.0%}' for share in division.shares)} of {who}"
