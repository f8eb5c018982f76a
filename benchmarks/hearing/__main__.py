"""How well the shipped model hears, beside two peers on the same sound in one run: the aims and the measurements.

    python -m benchmarks.hearing --model models/default.onnx --hours 1 --output runs/hearing

Our model file on the app's own grid and alert policy, YAMNet, and a 9-second SVM voter fitted to the training side of
the same data. Writes ``default-model.html`` and ``default-model.json``. Scores are cached under the output folder by
the hash of the listener's file, so that a rerun with another model listens with that model alone. ``--clips 40 --hours
0.1`` is a small run, for looking at the page. Progress goes to standard error.
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
from benchmarks.hearing.material import WIDEBAND, Material, gather, made_items
from benchmarks.hearing.voter import Voter, trained
from benchmarks.hearing.words import aim_status, figure_text
from benchmarks.measurement import ROOT, note, print_machine, print_table
from benchmarks.yamnet import DEFAULT_FILE, missing
from trainer.commands import options
from trainer.data.split import Division
from trainer.errors import DataError
from trainer.evaluation.answer_cache import AnswerCache
from trainer.evaluation.listeners import Listener, Ours, YamnetListener

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
    parser.add_argument("--clips", type=options.positive, metavar="N", help="at most N of each kind, for a small run")
    parser.add_argument("--invariance-clips", type=options.positive, default=120, metavar="N", help="(default: 120)")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    cache_help = "where decoded sound is cached (default: the user's cache folder)"
    parser.add_argument("--cache", type=Path, default=options.default_cache(), metavar="DIR", help=cache_help)
    parser.add_argument("--kept", type=Path, metavar="DIR", help="where scores are cached (default: OUTPUT/kept)")
    parsed = parser.parse_args(arguments)
    words = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "benchmarks.hearing", *words])
    try:
        # Matrices here are small: threads that wait for each other would cost more than the work.
        with threadpool_limits(1):
            results = measure(parsed, command)
    except (DataError, ModelError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    path = page.write(parsed.output, results)
    summary(results)
    print(path)
    return 0


def measure(requested: argparse.Namespace, command: str = "") -> dict[str, Any]:
    """Run the benchmark; returns plain values fit for JSON."""
    began = time.monotonic()
    print_machine()
    data = requested.data or [SHARED_DATA]
    segments = requested.segments or (SEGMENTS if not requested.data else None)
    sides = requested.sides or (SIDES if not requested.data else None)
    ours = Ours(requested.model)
    material = gather(data, segments, requested.cache, Division(sides=sides), requested.clips)
    folder: Path = requested.kept or requested.output / "kept"
    listeners: list[Listener] = [ours]
    skipped = []
    if problem := missing(requested.yamnet):
        note(problem)
        skipped.append("YAMNet")
    else:
        listeners.append(YamnetListener(requested.yamnet))
    voter = Voter(trained(material.train, material.waves, folder))
    listeners.append(voter)
    results: dict[str, Any] = {
        "event": "hearing",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "load": os.getloadavg()[0],
        "request": {"hours": requested.hours, "seed": requested.seed, "clips": requested.clips},
        "data": material.title,
        "stretches_by_student": material.by_student,
        "model": {
            "name": ours.classifier.card.name,
            "family": ours.classifier.card.family,
            "sha256": hashlib.sha256(requested.model.read_bytes()).hexdigest(),
        },
        "listeners": [listener.name for listener in listeners],
        "skipped": skipped,
        "voter": voter.machine.about,
        "wideband": [f"made: {name}" for name in WIDEBAND],
    }
    results |= _measures(material, listeners, ours, AnswerCache(folder), requested)
    results["aims"] = figures.aims(results)
    results["seconds"] = round(time.monotonic() - began)
    return results


def _measures(
    material: Material, listeners: list[Listener], ours: Ours, cache: AnswerCache, requested: argparse.Namespace
) -> dict[str, Any]:
    bare = clips.bare(cache, material, listeners)
    if not bare["test side"]["rows"]:
        raise DataError("The test side holds no cries, or nothing else.")
    synthetic_items = made_items(
        MADE_OF_EACH if requested.clips is None else max(1, min(MADE_OF_EACH, requested.clips // 8))
    )
    report: dict[str, Any] = {"clips": bare}
    report["noise"] = clips.under_noise(cache, material, listeners, bare["test side"])
    report["alone"] = clips.alone(cache, material, listeners, synthetic_items)
    most = requested.invariance_clips if requested.clips is None else min(requested.invariance_clips, requested.clips)
    networks = [listener for listener in listeners if not isinstance(listener, Voter)]
    report["invariance"] = invariance.measure(cache, material, networks, most)
    played = nights.play(cache, material, listeners, requested.hours, requested.seed)
    note("judging the nights")
    report["nights"] = nights.measure(played, listeners)
    note("calibration, cost")
    report["honesty"] = figures.honesty(ours.classifier, material, requested.clips)
    report["cost"] = figures.cost(listeners)
    return report


def summary(results: Mapping[str, Any]) -> None:
    """Print the tables that matter."""
    rows = []
    for aim in results["aims"]:
        value, span = figure_text(aim["ours"], aim["unit"])
        rows.append([aim["measure"], aim["aim"], value, span, aim_status(aim["met"])])
    print_table(["measure", "aim", "ours", "95 %", ""], rows)

    def text(entry: Any, unit: str) -> str:
        value, span = figure_text(entry, unit)
        return f"{value} ({span})" if span else value

    for name, clip_set in results["clips"].items():
        print(f"clips, {name}: {clip_set['cries']} cries, {clip_set['others']} others")
        lines = [
            [row["name"], text(row["auc"], "decimal"), *(text(entry, "share") for entry in row["found"].values())]
            for row in clip_set["rows"]
        ]
        print_table(["score", "AUC", "found at 1 %", "found at 0.1 %"], lines)
    print("cries found under noise, at the threshold of 1 % on clean clips")
    lines = [
        [
            f"{condition['noise']} {condition['snr_db']:g} dB",
            *(text(row["found"], "share") for row in condition["rows"]),
        ]
        for condition in results["noise"]["conditions"]
    ]
    print_table(["under", *results["noise"]["clean"]], lines)
    night = results["nights"]
    print(f"nights, {night['hours']:.1f} h over all beds")
    lines = []
    for name, listener in night["listeners"].items():
        for threshold in ("own", "equal"):
            figures_at = listener[threshold]
            if figures_at is None:
                lines.append([name, threshold, "—", "", "", "", "", "", ""])
                continue
            quiet = figures_at["dense"].get("quiet room, dense")
            caught = [quiet and quiet["caught_share"], figures_at["noisy"] and figures_at["noisy"]["caught_share"]]
            caught.append(figures_at["all_beds"]["caught_share"])
            cells = [text(entry, "share") for entry in caught]
            cells.append(text(figures_at["all_beds"]["false_alarms_per_night"], "count"))
            cells += [text(figures_at["delay"][part], "seconds") for part in ("median", "p95")]
            lines.append([name, threshold, f"{figures_at['start']:g}", *cells])
    heads = ["listener", "threshold", "start", "quiet room", "noise 0 dB", "all beds", "false in 10 h"]
    print_table([*heads, "delay median", "95 %"], lines)
    print("played alone: alarms of sounds")
    names = results["listeners"]
    lines = [
        [kind, str(counts["sounds"]), *(str(counts["alarms"][name]) for name in names)]
        for part in ("named", "origins")
        for kind, counts in results["alone"][part].items()
    ]
    print_table(["sound", "sounds", *names], lines)
    lines = [
        [
            name,
            f"{cost['milliseconds_a_judgement']:.2f}",
            f"{cost['milliseconds_while_crying']:.2f}",
            f"{cost['cpu_seconds_an_hour']:.1f}",
            f"{cost['file_bytes']:,}",
        ]
        for name, cost in results["cost"]["listeners"].items()
    ]
    print_table(["cost", "ms per judgement", "while crying", "CPU s per hour", "bytes"], lines)
    print(f"{results['seconds']} s")


if __name__ == "__main__":
    sys.exit(main())
