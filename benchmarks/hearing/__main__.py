"""How well the shipped model hears, beside two peers on the same sound in one run: the aims, and what was measured.

    python -m benchmarks.hearing --model models/default.onnx --hours 1 --output runs/hearing

Our model file through the app's own Detector and AlertPolicy, YAMNet, and a 9-second SVM voter fitted to the training
side of the same data. Writes ``default-model.html`` and ``default-model.json``; what a listener said is kept under the
output folder by the hash of its file, so that a rerun with another model listens with that model alone. ``--clips 40
--hours 0.1`` is a small run to look at the page by. Progress goes to standard error.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from babymonitor.core.model.classifier import ModelError
from benchmarks.hearing import clips, figures, invariance, nights, page
from benchmarks.hearing.kept import Kept
from benchmarks.hearing.listeners import Listener, Ours, YamnetListener
from benchmarks.hearing.material import WIDEBAND, Material, gather, made_items
from benchmarks.hearing.voter import Voter, trained
from benchmarks.hearing.words import told, verdict
from benchmarks.measurement import ROOT, note, print_machine, print_table
from benchmarks.yamnet import DEFAULT_FILE, missing
from trainer.commands import options
from trainer.data.split import Division
from trainer.errors import DataError

SHARED_DATA = ROOT.parent / "shared" / "data"
SEGMENTS = ROOT / "trainer" / "labelling" / "segments.csv"
SIDES = SEGMENTS.with_name("sides.csv")
MADE_OF_EACH = 12


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hearing", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "default.onnx", metavar="FILE.onnx")
    parser.add_argument("--data", type=Path, action="append", metavar="DIR", help="default: ../shared/data")
    parser.add_argument("--segments", type=Path, metavar="FILE.csv", help="default: trainer/labelling/segments.csv")
    parser.add_argument("--sides", type=Path, metavar="FILE.csv", help="default: trainer/labelling/sides.csv")
    parser.add_argument("--yamnet", type=Path, default=DEFAULT_FILE, metavar="FILE.tflite")
    parser.add_argument("--hours", type=options.above_zero, default=1.0, help="of each night (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="of the nights (default: 1)")
    parser.add_argument("--clips", type=options.positive, metavar="N", help="at most so many of each kind: a small run")
    parser.add_argument("--invariance-clips", type=options.positive, default=120, metavar="N", help="(default: 120)")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    where = "where decoded sound is kept (default: the user's cache folder)"
    parser.add_argument("--cache", type=Path, default=options.default_cache(), metavar="DIR", help=where)
    parser.add_argument("--kept", type=Path, metavar="DIR", help="where answers are kept (default: OUTPUT/kept)")
    asked = parser.parse_args(arguments)
    words = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "benchmarks.hearing", *words])
    try:
        # Matrices here are small, and threads that wait for each other cost more than the work.
        with threadpool_limits(1):
            results = measure(asked, command)
    except (DataError, ModelError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    path = page.write(asked.output, results)
    summary(results)
    print(path)
    return 0


def measure(asked: argparse.Namespace, command: str = "") -> dict[str, Any]:
    """Everything, as plain values fit for JSON."""
    began = time.monotonic()
    print_machine()
    data = asked.data or [SHARED_DATA]
    segments = asked.segments or (SEGMENTS if not asked.data else None)
    sides = asked.sides or (SIDES if not asked.data else None)
    ours = Ours(asked.model)
    material = gather(data, segments, asked.cache, Division(sides=sides), asked.clips)
    folder: Path = asked.kept or asked.output / "kept"
    listeners: list[Listener] = [ours]
    skipped = []
    if complaint := missing(asked.yamnet):
        note(complaint)
        skipped.append("YAMNet")
    else:
        listeners.append(YamnetListener(asked.yamnet))
    voter = Voter(trained(material.train, material.waves, folder))
    listeners.append(voter)
    results: dict[str, Any] = {
        "event": "hearing",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "load": os.getloadavg()[0],
        "request": {"hours": asked.hours, "seed": asked.seed, "clips": asked.clips},
        "data": material.title,
        "stretches_by_student": material.by_student,
        "model": {
            "name": ours.classifier.card.name,
            "family": ours.classifier.card.family,
            "sha256": hashlib.sha256(asked.model.read_bytes()).hexdigest(),
        },
        "listeners": [one.name for one in listeners],
        "skipped": skipped,
        "voter": voter.machine.about,
        "wideband": [f"made: {name}" for name in WIDEBAND],
    }
    results |= _measures(material, listeners, ours, Kept(folder), asked)
    results["aims"] = figures.aims(results)
    results["seconds"] = round(time.monotonic() - began)
    return results


def _measures(
    material: Material, listeners: list[Listener], ours: Ours, kept: Kept, asked: argparse.Namespace
) -> dict[str, Any]:
    bare = clips.bare(kept, material, listeners)
    if not bare["test side"]["rows"]:
        raise DataError("The test side holds no cries, or nothing else.")
    made = made_items(MADE_OF_EACH if asked.clips is None else max(1, min(MADE_OF_EACH, asked.clips // 8)))
    report: dict[str, Any] = {"clips": bare}
    report["noise"] = clips.under_noise(kept, material, listeners, bare["test side"])
    report["alone"] = clips.alone(kept, material, listeners, made)
    few = asked.invariance_clips if asked.clips is None else min(asked.invariance_clips, asked.clips)
    two = [one for one in listeners if not isinstance(one, Voter)]
    report["invariance"] = invariance.measure(kept, material, two, few)
    spent = nights.spend(kept, material, listeners, asked.hours, asked.seed)
    note("judging the nights")
    report["nights"] = nights.measure(spent, listeners)
    note("calibration, cost")
    report["honesty"] = figures.honesty(ours.classifier, material, asked.clips)
    report["cost"] = figures.cost(listeners)
    return report


def summary(results: Mapping[str, Any]) -> None:
    """The tables that matter, on the terminal."""
    rows = []
    for one in results["aims"]:
        value, span = told(one["ours"], one["unit"])
        rows.append([one["measure"], one["aim"], value, span, verdict(one["met"])])
    print_table(["measure", "aim", "ours", "95 %", ""], rows)

    def text(entry: Any, unit: str) -> str:
        value, span = told(entry, unit)
        return f"{value} ({span})" if span else value

    for name, one in results["clips"].items():
        print(f"clips, {name}: {one['cries']} cries, {one['others']} others")
        lines = [
            [row["name"], text(row["auc"], "decimal"), *(text(entry, "share") for entry in row["found"].values())]
            for row in one["rows"]
        ]
        print_table(["score", "AUC", "found at 1 %", "found at 0.1 %"], lines)
    print("cries found under noise, at the threshold of 1 % on clean clips")
    lines = [
        [f"{one['noise']} {one['snr_db']:g} dB", *(text(row["found"], "share") for row in one["rows"])]
        for one in results["noise"]["conditions"]
    ]
    print_table(["under", *results["noise"]["clean"]], lines)
    night = results["nights"]
    print(f"nights, {night['hours']:.1f} h over all beds")
    lines = []
    for name, one in night["listeners"].items():
        for way in ("own", "equal"):
            said = one[way]
            if said is None:
                lines.append([name, way, "—", "", "", "", "", "", ""])
                continue
            quiet = said["dense"].get("quiet room, dense")
            caught = [quiet and quiet["caught_share"], said["noisy"] and said["noisy"]["caught_share"]]
            caught.append(said["all_beds"]["caught_share"])
            cells = [text(entry, "share") for entry in caught]
            cells.append(text(said["all_beds"]["false_alarms_per_night"], "count"))
            cells += [text(said["delay"][part], "seconds") for part in ("median", "p95")]
            lines.append([name, way, f"{said['start']:g}", *cells])
    heads = ["listener", "threshold", "start", "quiet room", "noise 0 dB", "all beds", "false in 10 h"]
    print_table([*heads, "delay median", "95 %"], lines)
    print("played alone: alarms of sounds")
    names = results["listeners"]
    lines = [
        [kind, str(one["sounds"]), *(str(one["alarms"][name]) for name in names)]
        for part in ("named", "origins")
        for kind, one in results["alone"][part].items()
    ]
    print_table(["sound", "sounds", *names], lines)
    lines = [
        [
            name,
            f"{one['milliseconds_a_judgement']:.2f}",
            f"{one['milliseconds_while_crying']:.2f}",
            f"{one['cpu_seconds_an_hour']:.1f}",
            f"{one['file_bytes']:,}",
        ]
        for name, one in results["cost"]["listeners"].items()
    ]
    print_table(["cost", "ms a judgement", "while it cries", "CPU s an hour", "bytes"], lines)
    print(f"{results['seconds']} s")


if __name__ == "__main__":
    sys.exit(main())
