"""Families side by side: trained on the same split of the same data, judged by their model files on held-out groups.

What each run leaves (its model file, and its judgements as JSON) is kept, so that a comparison of many hours that was
stopped goes on where it stopped, and folds of one family can be judged together.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from babymonitor.core.labels import two_sided
from babymonitor.core.model.classifier import Classifier, ModelError
from babymonitor.core.whole_file import write_whole
from trainer.data.split import Division
from trainer.errors import DataError
from trainer.evaluation.judgements import Judgements, judge
from trainer.evaluation.model_cost import cost_of
from trainer.model_file.ensemble import combine
from trainer.networks import FAMILIES
from trainer.networks.classical import BODY
from trainer.training.loop import EventSink
from trainer.training.prepare import PreparedData, prepare
from trainer.training.request import TrainingRequest
from trainer.training.train import train

_FORMAT = 2
"""To be raised when the same settings come to train differently: judgements kept from before are then not reused."""


def compare(
    requests: Sequence[TrainingRequest], work: Path, title: str, command: str, emit: EventSink | None,
    together: Sequence[tuple[str, ...]] = (),
) -> dict[str, Any]:  # fmt: skip
    """Train and judge. Returns a comparison as `family_report.write_comparison` takes it.

    Several requests of one family are its folds. A family that cannot be trained here (weights that cannot be fetched,
    a package that is missing) is named with the reason. Families are judged by windows where the labels are the
    monitor's, whose clips hold several, and by whole clips elsewhere. together: families among those requested whose
    model files, fold for fold, are combined and judged as well, see `combine`. Raises DataError if no family could be
    trained.
    """
    work.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    left_out: list[dict[str, str]] = []
    prepared: dict[Division, PreparedData] = {}
    for request in requests:
        if request.division not in prepared:
            prepared[request.division] = prepare(request)
    # A family's grouped folds are one row, those of a random split another.
    runs_of: dict[tuple[str, bool], list[dict[str, Any]]] = {}
    for family, leaks in dict.fromkeys((request.family, request.division.by_clip) for request in requests):
        folds = [request for request in requests if request.family == family and request.division.by_clip == leaks]
        try:
            runs = [_run(request, prepared[request.division], work, emit) for request in folds]
        except (DataError, ModelError, ImportError) as error:
            left_out.append({"family": family, "why": str(error)})
            continue
        runs_of[family, leaks] = runs
        rows.append({"family": family, "about": FAMILIES[family].about, "note": _note(folds[0]), **_row(runs, leaks)})
    if not rows:
        raise DataError(f"Not one of the families could be trained: {left_out[0]['why']}")
    for families, leaks in itertools.product(together, (False, True)):
        parts = [runs_of[family, leaks] for family in families if (family, leaks) in runs_of]
        if len(parts) < len(families):
            continue  # not requested, or named above as left out
        name = " + ".join(families)
        folds_data = [data for division, data in prepared.items() if division.by_clip == leaks]
        try:
            runs = [_run_together(fold, data, work) for data, *fold in zip(folds_data, *parts, strict=True)]
        except (DataError, ModelError) as error:
            left_out.append({"family": name, "why": str(error)})
            continue
        about = "one file that answers with the mean of theirs"
        note = "; ".join(dict.fromkeys(row["note"] for row in rows if row["family"] in families and row["note"]))
        rows.append({"family": name, "about": about, "note": note, **_row(runs, leaks)})
    labels = next(iter(runs_of.values()))[0]["labels"]
    for data in prepared.values():
        shutil.rmtree(_pools(work, data), ignore_errors=True)
    return {
        "title": title,
        "data": prepared[requests[0].division].data.title,
        "labels": labels,
        "chance": round(1 / len(labels), 4),
        "protocol": _protocol(requests[0]) + f"; judged by {rows[0]['judged_by']}",
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": rows,
        "left_out": left_out,
    }


def _pools(work: Path, prepared: PreparedData) -> Path:
    """Return the folder of the windows drawn from these data."""
    return work / f"pools-{prepared.content}"


def _identity(request: TrainingRequest, prepared: PreparedData) -> str:
    """Return a hash of all that a run depends on: its settings, the data, and the files that it begins from."""
    recipe = {**asdict(request.recipe), "workers": 0}
    values = [_FORMAT, prepared.content, request.origin, recipe, request.augmentation]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def _run(request: TrainingRequest, prepared: PreparedData, work: Path, emit: EventSink | None) -> dict[str, Any]:
    """Train and judge, or read what was judged before. The model file stays in `work`."""
    stem = f"{request.family}-{_identity(request, prepared)}"
    record = work / f"{stem}.json"
    with FileLock(work / f"{stem}.lock"):  # the same comparison may run twice at once
        if record.is_file():
            earlier: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
            return earlier | {"model": work / f"{stem}.onnx"}
        begin_from = request.begin_from or _trained_body(request, prepared, work)
        request = replace(
            request, output=work / f"{stem}.onnx", name=request.family, begin_from=begin_from,
            pools=_pools(work, prepared),
        )  # fmt: skip
        seconds = _train(request, prepared, emit)
        result = _judged(request.output, prepared) | {"train_seconds": round(seconds, 1)}
        request.checkpoint.unlink(missing_ok=True)
        write_whole(record, json.dumps(result))
    return result | {"model": request.output}


def _run_together(runs: Sequence[dict[str, Any]], prepared: PreparedData, work: Path) -> dict[str, Any]:
    """Combine the model files of several families' same fold, and judge the result."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        combined = Path(folder) / "together.onnx"
        combine([run["model"] for run in runs], combined)
        return _judged(combined, prepared) | {"train_seconds": sum(run["train_seconds"] for run in runs)}


def _train(request: TrainingRequest, prepared: PreparedData, emit: EventSink | None) -> float:
    """Train, or resume this run. Returns the seconds of its epochs, or of all of it where there are none."""
    epoch_seconds = 0.0

    def watch(values: dict[str, Any]) -> None:
        nonlocal epoch_seconds
        epoch_seconds = values.get("seconds", epoch_seconds)
        if emit:
            emit(values)

    began, resume = time.monotonic(), request.checkpoint.is_file()
    try:
        train(replace(request, resume=resume), watch, prepared)
    except DataError:
        if not resume or not request.checkpoint.is_file():
            raise
        # Damaged, or of an earlier version.
        request.checkpoint.unlink()
        train(replace(request, resume=False), watch, prepared)
    return epoch_seconds or time.monotonic() - began


def _trained_body(request: TrainingRequest, prepared: PreparedData, work: Path) -> Path | None:
    """Return the model file of the network on whose embedding the family is built, if this comparison trained it.

    Trained again on the same split it would come out the same.
    """
    if not request.family.endswith("_embeddings"):
        return None
    body = work / f"{BODY}-{_identity(replace(request, family=BODY), prepared)}.onnx"
    return body if body.is_file() else None


def _judged(model: Path, prepared: PreparedData) -> dict[str, Any]:
    """Return probabilities, truth, group and clip of each window of the test side, and what the model costs."""
    classifier = Classifier(model)
    judgements = judge(classifier, prepared.data.side("test"), prepared.waves, prepared.data.labels)
    cost = cost_of(classifier, memory=False)
    return {
        "labels": list(judgements.labels),
        "probabilities": [[round(float(value), 5) for value in row] for row in judgements.rows],
        "truth": judgements.truth.tolist(),
        "groups": judgements.groups.tolist(),
        "clips": judgements.clips.tolist(),
        **{name: cost[name] for name in ("milliseconds_per_window", "file_bytes", "parameters")},
    }


def _row(runs: Sequence[dict[str, Any]], leaks: bool) -> dict[str, Any]:
    """Return a family's row of the table, its folds judged together. leaks: whether groups stand on several sides."""
    columns = ("probabilities", "truth", "groups", "clips")
    judged = Judgements(tuple(runs[0]["labels"]), *(np.concatenate([run[name] for run in runs]) for name in columns))
    by_window, by_clip = judged.by_window(), judged.by_clip()
    judged_by = "windows" if two_sided(judged.labels) or by_clip is None else "clips"
    return {
        "parameters": runs[0]["parameters"],
        "file_bytes": runs[0]["file_bytes"],
        "train_seconds": round(sum(run["train_seconds"] for run in runs) / len(runs), 1),
        "milliseconds_per_window": float(np.median([run["milliseconds_per_window"] for run in runs])),
        "judged_by": judged_by,
        "clips": by_clip,
        "windows": by_window,
        "protocol": "random split" if leaks else "grouped",
    }


def _note(request: TrainingRequest) -> str:
    """Return which pretrained weights a family began from, in words; "" for a family that has none."""
    family = FAMILIES[request.family]
    if not family.weights:
        return ""
    weights = request.weights or family.weights
    if weights != "random":
        return f"weights: {Path(weights).name}"
    return "from random weights" if family.weights == "random" else "a small configuration from random weights"


def _protocol(request: TrainingRequest) -> str:
    """Return how the data were divided, in words."""
    division = request.division
    divided = "clips, whoever speaks in them" if division.by_clip else "groups (babies, speakers, recordings)"
    if division.folds:
        return f"{division.folds} folds over {divided}, each judged by a model that met none of it"
    if division.sides is not None:
        return f"given sides ({division.sides.name}), no group on two of them"
    return f"{' / '.join(f'{share:.0%}' for share in division.shares)} of {divided}"
