"""Families side by side: trained on the same sides of the same data, judged by their model files on groups never met.

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
from trainer.data.dataset import DataSet
from trainer.data.decoded_audio import DecodedAudio
from trainer.data.split import Division
from trainer.errors import DataError
from trainer.evaluation.judgements import Judgements, judge
from trainer.evaluation.model_cost import cost_of
from trainer.model_file.ensemble import combine
from trainer.networks import FAMILIES
from trainer.networks.classical import BODY
from trainer.training.loop import Event
from trainer.training.train import Request, origin_of, prepared, train

_FORMAT = 2
"""To be counted up when trainings come out otherwise with the same settings: judgements of before do not count then."""


def compare(
    requests: Sequence[Request], work: Path, title: str, command: str, event: Event | None,
    together: Sequence[tuple[str, ...]] = (),
) -> dict[str, Any]:  # fmt: skip
    """One comparison, as `comparison.write_comparison` takes it; the requests of one family are its folds.

    A family that cannot be trained here (weights that cannot be had, a package that is missing) is named with the
    reason. Judged by windows where the labels are the monitor's, whose clips hold several; by whole clips elsewhere.
    together: families among those requested whose model files, fold for fold, are judged as one too, see `combine`.
    """
    work.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    left_out: list[dict[str, str]] = []
    divided: dict[Division, _Divided] = {}
    for request in requests:
        if request.division not in divided:
            divided[request.division] = _Divided(*prepared(request))
    # A family's grouped folds are one row, those of a random split beside them another.
    trained: dict[tuple[str, bool], list[dict[str, Any]]] = {}
    for family, leaks in dict.fromkeys((request.family, request.division.by_clip) for request in requests):
        folds = [one for one in requests if one.family == family and one.division.by_clip == leaks]
        try:
            runs = [_run(request, divided[request.division], work, event) for request in folds]
        except (DataError, ModelError, ImportError) as error:
            left_out.append({"family": family, "why": str(error)})
            continue
        trained[family, leaks] = runs
        rows.append({"family": family, "about": FAMILIES[family].about, "note": _note(folds[0]), **_row(runs, leaks)})
    if not rows:
        raise DataError(f"Not one of the families could be trained: {left_out[0]['why']}")
    for families, leaks in itertools.product(together, (False, True)):
        parts = [trained[family, leaks] for family in families if (family, leaks) in trained]
        if len(parts) < len(families):
            continue  # not asked for, or named above as left out
        name = " + ".join(families)
        sides = [one for division, one in divided.items() if division.by_clip == leaks]
        try:
            runs = [_together(fold, side, work) for side, *fold in zip(sides, *parts, strict=True)]
        except (DataError, ModelError) as error:
            left_out.append({"family": name, "why": str(error)})
            continue
        about = "one file that answers with the mean of theirs"
        note = "; ".join(dict.fromkeys(row["note"] for row in rows if row["family"] in families and row["note"]))
        rows.append({"family": name, "about": about, "note": note, **_row(runs, leaks)})
    labels = next(iter(trained.values()))[0]["labels"]
    for one in divided.values():
        shutil.rmtree(_pools(work, one), ignore_errors=True)
    return {
        "title": title,
        "data": divided[requests[0].division].data.title,
        "labels": labels,
        "chance": round(1 / len(labels), 4),
        "protocol": _protocol(requests[0]) + f"; judged by {rows[0]['judged_by']}",
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": rows,
        "left_out": left_out,
    }


class _Divided:
    """The data as they are divided, with their sound: prepared once, for every family.

    content: a hash of what is heard in every clip, whose it is and where it stands.
    """

    def __init__(self, data: DataSet, waves: DecodedAudio) -> None:
        self.data, self.waves = data, waves
        clips = [[waves.content(clip.path), clip.group, clip.side, repr(clip.spans)] for clip in data.clips]
        self.content = hashlib.sha256(json.dumps([clips, waves.kinds]).encode()).hexdigest()[:12]


def _pools(work: Path, divided: _Divided) -> Path:
    return work / f"pools-{divided.content}"


def _identity(request: Request, divided: _Divided) -> str:
    """What a run depends on: its settings, the data, and the files that it begins from."""
    recipe = {**asdict(request.recipe), "workers": 0}
    told = [_FORMAT, divided.content, origin_of(request), recipe, request.augmentation]
    if request.members > 1:
        told.append(request.members)
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


def _run(request: Request, divided: _Divided, work: Path, event: Event | None) -> dict[str, Any]:
    """Train and judge, or read what was judged before. The model file stays in `work`."""
    stem = f"{request.family}-{_identity(request, divided)}"
    told = work / f"{stem}.json"
    with FileLock(work / f"{stem}.lock"):  # the same comparison may run twice at once
        if told.is_file():
            before: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
            return before | {"model": work / f"{stem}.onnx"}
        begin_from = request.begin_from or _body_of(request, divided, work)
        request = replace(
            request, output=work / f"{stem}.onnx", name=request.family, begin_from=begin_from,
            kept=_pools(work, divided),
        )  # fmt: skip
        seconds = _trained(request, divided, event)
        result = _judged(request.output, divided) | {"train_seconds": round(seconds, 1)}
        _forget(request)
        write_whole(told, json.dumps(result))
    return result | {"model": request.output}


def _together(runs: Sequence[dict[str, Any]], divided: _Divided, work: Path) -> dict[str, Any]:
    """Judge the model file that several families' files of the same fold become."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        whole = Path(folder) / "together.onnx"
        combine([run["model"] for run in runs], whole)
        return _judged(whole, divided) | {"train_seconds": sum(run["train_seconds"] for run in runs)}


def _trained(request: Request, divided: _Divided, event: Event | None) -> float:
    """Train, going on from a checkpoint if there is one of this run; → seconds of its epochs, or of it all."""
    spent: dict[int, float] = {}  # by member

    def watch(values: dict[str, Any]) -> None:
        if "seconds" in values:
            spent[values.get("member", 1)] = values["seconds"]
        if event:
            event(values)

    began, ready = time.monotonic(), (divided.data, divided.waves)
    try:
        train(replace(request, resume=request.checkpoints[0].is_file()), watch, ready)
    except DataError:
        if not request.checkpoints[0].is_file():
            raise
        # Damaged, or of a version of before.
        _forget(request)
        train(replace(request, resume=False), watch, ready)
    return sum(spent.values()) or time.monotonic() - began


def _forget(request: Request) -> None:
    for path in request.checkpoints:
        path.unlink(missing_ok=True)


def _body_of(request: Request, divided: _Divided, work: Path) -> Path | None:
    """The model file of the network whose embedding a family is built on, if it was trained here on the same sides:
    trained again it would come out the same.
    """
    if not request.family.endswith("_embeddings"):
        return None
    body = work / f"{BODY}-{_identity(replace(request, family=BODY), divided)}.onnx"
    return body if body.is_file() else None


def _judged(model: Path, divided: _Divided) -> dict[str, Any]:
    """What the model file says of the test side: probabilities, truth, group and clip of each window, and its cost."""
    classifier = Classifier(model)
    judgements = judge(classifier, divided.data.side("test"), divided.waves, divided.data.labels)
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
    """A family's folds, judged together."""
    columns = ("probabilities", "truth", "groups", "clips")
    whole = Judgements(tuple(runs[0]["labels"]), *(np.concatenate([run[name] for run in runs]) for name in columns))
    by_window, by_clip = whole.by_window(), whole.by_clip()
    judged_by = "windows" if two_sided(whole.labels) or by_clip is None else "clips"
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


def _note(request: Request) -> str:
    family = FAMILIES[request.family]
    if request.members > 1:
        return f"{request.members} networks together"
    if not family.weights:
        return ""
    weights = request.weights or family.weights
    if weights != "random":
        return f"weights: {Path(weights).name}"
    return "from random weights" if family.weights == "random" else "a small configuration from random weights"


def _protocol(request: Request) -> str:
    division = request.division
    who = "clips, whoever speaks in them" if division.by_clip else "groups (babies, speakers, recordings)"
    if division.folds:
        return f"{division.folds} folds over {who}, each judged by a model that met none of it"
    if division.sides is not None:
        return f"given sides ({division.sides.name}), no group on two of them"
    return f"{' / '.join(f'{share:.0%}' for share in division.shares)} of {who}"
