"""`babymonitor predict`: what each file sounds like."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from babymonitor.core import paths
from babymonitor.core.audio import AudioError, RingBuffer, sound_files
from babymonitor.core.classifier import Classifier, ModelError
from babymonitor.core.detector import Detector, Score
from babymonitor.core.labels import label
from babymonitor.core.settings import replace_file
from babymonitor.live import model_files
from babymonitor.live.file_source import FileSource

_VERDICT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file sounds like, judged by its most telling second.

    crying: the highest P(crying) of any second. probabilities: of that second where it is crying by the model's own
    threshold, otherwise of the second least likely to hold no baby. label, confidence: the likeliest of them.
    """

    label: str
    confidence: float
    crying: float
    probabilities: dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="sound files, or folders of them")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of bars")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON there, too")
    parser.add_argument("--model", type=Path, help="another model file")


def run(arguments: argparse.Namespace) -> int:
    """0 when at least one file could be judged; 2 when none could, or the model not."""
    try:
        wanted = arguments.model or paths.default_model()
        classifier = Classifier(model_files.usable(wanted, lambda text: print(text, file=sys.stderr, flush=True)))
    except ModelError as error:
        print(error, file=sys.stderr)
        return 2
    files: list[dict[str, Any]] = []
    for path in (file for argument in arguments.paths for file in sound_files(argument)):
        try:
            verdict = judge(path, classifier)
        except (AudioError, ModelError) as error:
            files.append({"path": str(path), "error": str(error)})
            if not arguments.json:
                print(f"{path}\n  {error}\n")
            continue
        files.append(_entry(path, verdict))
        if not arguments.json:
            _print_bars(path, verdict)
    text = json.dumps({"files": files}, indent=2, ensure_ascii=False)
    if arguments.json:
        print(text)
    if not files:
        print("No sound file was found there.", file=sys.stderr)
    if arguments.output is not None:
        try:
            replace_file(arguments.output, (text + "\n").encode(errors="backslashreplace"))
        except OSError as error:
            print(f"{arguments.output} cannot be written: {error.strerror}.", file=sys.stderr)
            return 2
    return 0 if any("error" not in file for file in files) else 2


def judge(path: Path, classifier: Classifier) -> Verdict:
    """Listen to a whole file; AudioError when it cannot be read."""
    card = classifier.card
    ring = RingBuffer(4 * card.window_seconds + 1.0, card.features.sample_rate)
    source = FileSource(ring, [path], paced=False)
    detector = Detector(classifier, ring)
    scores: list[Score] = []
    source.open()
    while not source.finished:
        source.pump()
        score = detector.poll()
        if score is not None:
            scores.append(score)
    last = detector.finish()
    if last is not None:
        scores.append(last)
    if not scores:
        raise AudioError(f"{path} is too short to be judged.")
    return _verdict(scores, classifier)


def _verdict(scores: list[Score], classifier: Classifier) -> Verdict:
    labels = classifier.labels
    rows = np.array([[score.probabilities[name] for name in labels] for score in scores])
    width = min(len(rows), max(1, round(_VERDICT_SECONDS / classifier.card.hop_seconds)))
    sums = np.cumsum(np.vstack((np.zeros(len(labels)), rows)), axis=0)
    seconds = (sums[width:] - sums[:-width]) / width
    crying = seconds[:, [label(name).crying for name in labels]].sum(axis=1)
    loudest = int(np.argmax(crying))
    chosen = loudest
    if crying[loudest] < classifier.card.thresholds["start"] and "background" in labels:
        chosen = int(np.argmin(seconds[:, labels.index("background")]))
    best = int(np.argmax(seconds[chosen]))
    return Verdict(
        label=labels[best],
        confidence=float(seconds[chosen, best]),
        crying=float(crying[loudest]),
        probabilities=dict(zip(labels, map(float, seconds[chosen]), strict=True)),
    )


def _entry(path: Path, verdict: Verdict) -> dict[str, Any]:
    return {
        "path": str(path),
        "label": verdict.label,
        "confidence": round(verdict.confidence, 4),
        "probabilities": {name: round(share, 4) for name, share in verdict.probabilities.items()},
        "crying": round(verdict.crying, 4),
    }


def _print_bars(path: Path, verdict: Verdict) -> None:
    print(f"{path}\n  {label(verdict.label).title} ({verdict.confidence:.0%}), crying {verdict.crying:.0%}")
    for name, share in verdict.probabilities.items():
        print(f"  {label(name).title:<24} {share:6.1%} {'█' * round(30 * share)}")
    print()
