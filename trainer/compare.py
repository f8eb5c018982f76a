"""Families side by side: trained on the same sides of the same data, judged by their model files on groups never met.

What each run leaves (its model file, and its judgements as JSON) is kept, so that a comparison of many hours that was
stopped goes on where it stopped, and folds of one family can be judged together.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from babymonitor.core.classifier import Classifier
from trainer.corpora import DataError
from trainer.cost import cost_of
from trainer.fit import Event
from trainer.judge import Judgements, judge
from trainer.networks import FAMILIES
from trainer.networks.classical import BODY
from trainer.run import Request, prepared, train


def compare(requests: Sequence[Request], work: Path, title: str, command: str, event: Event | None) -> dict[str, Any]:
    """One comparison, as `report.write_comparison` takes it; the requests of one family are its folds.

    A family that cannot be trained here (weights that cannot be had, say) becomes a row that says why.
    """
    work.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    labels: list[str] = []
    left_out: list[dict[str, str]] = []
    for family in dict.fromkeys(request.family for request in requests):
        folds = [request for request in requests if request.family == family]
        try:
            runs = [_run(request, work, event) for request in folds]
        except DataError as error:
            if not FAMILIES[family].weights:
                raise
            left_out.append({"family": family, "why": str(error)})
            continue
        rows.append(_row(family, folds, runs))
        labels = runs[0]["labels"]
    if not rows:
        raise DataError(f"Not one of the families could be trained: {left_out[0]['why']}")
    return {
        "title": title,
        "data": requests[0].data.name,
        "labels": labels,
        "chance": round(1 / len(labels), 4),
        "protocol": _protocol(requests[0], len({request.division for request in requests})),
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": rows,
        "left_out": left_out,
    }


def _identity(request: Request) -> str:
    """What a run depends on, but for where it lies and how many processes drew for it."""
    values = {**asdict(request), "recipe": {**asdict(request.recipe), "workers": 0}}
    for name in ("output", "resume", "cache", "device", "kept"):
        del values[name]
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _run(request: Request, work: Path, event: Event | None) -> dict[str, Any]:
    """Train and judge, or read what was judged before. The model file stays in `work`."""
    stem = f"{request.family}-{_identity(request)}"
    told = work / f"{stem}.json"
    if told.is_file():
        before: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
        return before
    begin_from = request.begin_from or _body_of(request, work)
    request = replace(
        request, output=work / f"{stem}.onnx", name=request.family, begin_from=begin_from, kept=work / "pools"
    )
    request = replace(request, resume=request.checkpoint.is_file())
    began = time.monotonic()
    train(request, event)
    result = judged(request) | {"train_seconds": round(time.monotonic() - began, 1)}
    request.checkpoint.unlink(missing_ok=True)
    partial = told.with_suffix(".part")
    partial.write_text(json.dumps(result), encoding="utf-8")
    partial.replace(told)
    return result


def _body_of(request: Request, work: Path) -> Path | None:
    """The model file of the network whose embedding a family is built on, if it was trained here on the same sides:
    trained again it would come out the same.
    """
    if not request.family.endswith("_embeddings"):
        return None
    body = work / f"{BODY}-{_identity(replace(request, family=BODY))}.onnx"
    return body if body.is_file() else None


def judged(request: Request) -> dict[str, Any]:
    """What the model file says of the test side: probabilities, truth, group and clip of each window, and its cost."""
    classifier = Classifier(request.output)
    data, _, waves = prepared(request)
    clips = data.side("test")
    judgements = judge(classifier, clips, waves, data.labels)
    cost = cost_of(classifier, memory=False)
    return {
        "labels": list(judgements.labels),
        "probabilities": [[round(float(value), 5) for value in row] for row in judgements.rows],
        "truth": judgements.truth.tolist(),
        "groups": judgements.groups.tolist(),
        "clips": judgements.clips.tolist(),
        **{name: cost[name] for name in ("milliseconds_per_window", "file_bytes", "parameters")},
    }


def _row(family: str, folds: Sequence[Request], runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A family's folds, judged together."""
    columns = ("probabilities", "truth", "groups", "clips")
    whole = Judgements(tuple(runs[0]["labels"]), *(np.concatenate([run[name] for run in runs]) for name in columns))
    return {
        "family": family,
        "about": FAMILIES[family].about,
        "note": _note(folds[0]),
        "parameters": runs[0]["parameters"],
        "file_bytes": runs[0]["file_bytes"],
        "train_seconds": round(sum(run["train_seconds"] for run in runs) / len(runs), 1),
        "milliseconds_per_window": float(np.median([run["milliseconds_per_window"] for run in runs])),
        "clips": whole.by_clip(),
        "windows": whole.by_window(),
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
