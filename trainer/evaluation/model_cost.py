"""What a model file costs: time per window, parameters, bytes on disk and in memory."""

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
    """The cost of a model as plain values fit for JSON.

    Milliseconds for features and network on one thread (median and 95th percentile), parameters, bytes. memory: also
    measure a fresh process that loads the model and runs it ten times.
    """
    card = classifier.card
    # The golden sound is a cry, for which a cascade works hardest: this is its highest cost.
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
    """Milliseconds per call: median and 95th percentile of up to 200 calls within three seconds."""
    call()
    spent: list[float] = []
    while len(spent) < _REPEATS and (sum(spent) < _LONGEST_SECONDS or len(spent) < 3):
        began = time.perf_counter()
        call()
        spent.append(time.perf_counter() - began)
    return {
        name: round(1e3 * float(np.percentile(spent, percent)), 3) for name, percent in (("median", 50), ("p95", 95))
    }


def parameters_of(path: Path) -> int:
    """The count of all numbers in the graph: initialisers, and what trees and support vectors hold in their nodes."""
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
    """Peak memory in bytes of a fresh process that runs the model, and before it opened it; None where unknown."""
    if getattr(sys, "frozen", False):
        return None  # the executable is the app: a new process would open a second window
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
    memory: dict[str, int] = json.loads(done.stdout)
    return memory


def _peak_bytes() -> int:
    """This process's peak memory. On Linux from /proc, since `getrusage` counts the parent process there."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _main() -> int:
    import onnxruntime  # noqa: F401  belongs to what is measured before the model

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
