"""What a model file costs: time a window, parameters, bytes on disk and in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from babymonitor.core.model.classifier import Classifier, ModelError, decode_golden
from babymonitor.core.model.features import fit_frames, front_end

_REPEATS = 200
_LONGEST_SECONDS = 3.0


def cost_of(classifier: Classifier, memory: bool = True) -> dict[str, Any]:
    """Milliseconds of features and network (one thread, median and 95th percentile), parameters, bytes.

    memory: also what a fresh process takes that loads the model and asks it ten times.
    """
    card = classifier.card
    # The golden sound is a cry, by which a cascade works hardest: it is told at its dearest.
    wave = np.resize(decode_golden(card.golden["wave"]), card.window_samples)
    window = np.ascontiguousarray(fit_frames(front_end(wave, card.features), card.window_frames))
    features, network = _timed(lambda: front_end(wave, card.features)), _timed(lambda: classifier.probabilities(window))
    return {
        "features_ms": features,
        "network_ms": network,
        "milliseconds_per_window": round(features["median"] + network["median"], 3),
        "window_seconds": round(card.window_seconds, 4),
        "hop_seconds": round(card.hop_seconds, 4),
        "parameters": parameters_of(classifier.path),
        "file_bytes": classifier.path.stat().st_size,
        "memory": memory_of(classifier.path) if memory else None,
    }


def _timed(call: Callable[[], object]) -> dict[str, float]:
    """Milliseconds of a call: median and 95th percentile of up to 200, in at most three seconds."""
    call()
    spent: list[float] = []
    while len(spent) < _REPEATS and (sum(spent) < _LONGEST_SECONDS or len(spent) < 3):
        began = time.perf_counter()
        call()
        spent.append(time.perf_counter() - began)
    return {name: round(1e3 * float(np.percentile(spent, at)), 3) for name, at in (("median", 50), ("p95", 95))}


def parameters_of(path: Path) -> int:
    """All numbers that the graph carries: initialisers, and what trees and support vectors hold in their nodes."""
    import onnx

    from trainer.model_file.graph_surgery import subgraphs

    total = 0
    for graph in subgraphs(onnx.load_model_from_string(path.read_bytes()).graph):
        total += sum(int(np.prod(tensor.dims)) for tensor in graph.initializer)
        for node in graph.node:
            if node.domain == "ai.onnx.ml":
                total += sum(len(attribute.floats) for attribute in node.attribute)
    return total


def memory_of(path: Path) -> dict[str, int] | None:
    """Bytes that a fresh process takes at most, and took before it opened the model; None where it cannot be told."""
    if getattr(sys, "frozen", False):
        return None  # a new process would be a second window
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-m", "trainer.evaluation.model_cost", str(path.resolve())],
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return None
    told: dict[str, int] | None = json.loads(done.stdout)
    return told


def _peak_bytes() -> int:
    """The most memory that this process has held. Linux is asked itself, for its `getrusage` counts the parent in."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _main() -> int:
    import onnxruntime  # noqa: F401  part of what is there before

    try:
        before = _peak_bytes()
        classifier = Classifier(Path(sys.argv[1]))
        wave = np.zeros(classifier.card.window_samples, np.float32)
        for _ in range(10):
            classifier.probabilities_of_wave(wave)
    except (ImportError, ModelError) as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps({"peak_bytes": _peak_bytes(), "before_bytes": before}))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
