"""Milliseconds per judgement for a network of HuBERT's size, and the effect of each step that makes it faster.

    python -m benchmarks.pretrained [--rounds 15] [--family hubert]

The network has the shape of the published one (base: 94 M parameters) with random weights: its results mean nothing,
but its cost is the same. All sides take turns in one process, in the app's session except for what a step changes. Each
step includes those before it. Beside the time: the file size, and the deviation of probabilities and logits from the
first.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch

from babymonitor.core.sound.wave import Wave
from benchmarks.measurement import median, note, print_machine, print_table, take_turns
from resources import synthesise
from trainer.model_file.export import calibrated_graph, golden_wave
from trainer.model_file.quantise import quantise_graph
from trainer.networks import FAMILIES, Front
from trainer.networks.heads import Calibration

_LABELS = ("hungry", "pain", "tired", "sad", "happy", "natural", "background")
_RATE_HZ = 16000
_AIM_MS = 100.0
_PLAIN = Calibration()


@dataclass(frozen=True, slots=True)
class Side:
    """A way to run the network. seconds: length of the window."""

    model: bytes
    seconds: float = 2.0
    threads: int = 1
    arena: bool = False
    fused: bool = True

    def session(self) -> Any:
        """Open a session as `Classifier` does."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = self.arena
        options.log_severity_level = 4
        if not self.fused:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        return onnxruntime.InferenceSession(self.model, options, providers=["CPUExecutionProvider"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="turns of every side")
    parser.add_argument("--family", default="hubert", choices=("hubert", "wav2vec2"))
    arguments = parser.parse_args()
    print_machine()
    sides = _sides(_exported(arguments.family))
    sessions = {name: side.session() for name, side in sides.items()}
    sounds = _sounds()
    calls = {name: _timed(sessions[name], _cut(sounds["cry"], side.seconds)) for name, side in sides.items()}
    note("All is made; the sides take turns.")
    take_turns(calls, 2)  # warm up
    turns = take_turns(calls, arguments.rounds)
    first, app, *_ = sides
    rows = []
    for name, side in sides.items():
        # Ratios of consecutive turns: a machine that is busy for a while slows both down.
        ratio = median([ours / theirs for ours, theirs in zip(turns[name], turns[app], strict=True)])
        off, logits = _distance(sessions[first], sessions[name], sounds) if side.seconds == 2.0 else ("", "")
        times = [name, f"{median(turns[name]):.0f}", f"{min(turns[name]):.0f}", f"{ratio:.2f}"]
        rows.append([*times, f"{len(side.model) / 1e6:.0f}", off, logits])
    print(f"{arguments.family}, {arguments.rounds} judgements each, aim at most {_AIM_MS:.0f} ms on one core\n")
    print_table(["step", "median ms", "least ms", "of the time", "MB", "probabilities off by", "logits"], rows)


def _exported(family: str) -> dict[float, bytes]:
    """Export the network's graph for several lengths of window, by seconds."""
    from transformers import AutoConfig

    torch.set_num_threads(1)
    torch.manual_seed(1)
    known = FAMILIES[family]
    config = AutoConfig.for_model(family, layerdrop=0.0, apply_spec_augment=False).to_dict()
    network = known.build(_LABELS, known.front, config).eval()
    note(f"{sum(values.numel() for values in network.parameters()) / 1e6:.0f} M parameters with random weights.")
    windows = {}
    for seconds in (2.0, 1.5, 1.25, 1.0):
        front = Front(known.front.features, int(seconds * _RATE_HZ), known.front.hop_frames)
        windows[seconds] = calibrated_graph(network, _LABELS, front, _PLAIN)
        note(f"Exported for windows of {seconds} s.")
    return windows


def _sides(windows: Mapping[float, bytes]) -> dict[str, Side]:
    full = windows[2.0]
    matrices = quantise_graph(full, convolutions=False).SerializeToString()
    small = {seconds: quantise_graph(model).SerializeToString() for seconds, model in windows.items()}
    return {
        "floating point, nothing fused": Side(full, fused=False),
        "fused by the session (GELU, layer norm)": Side(full),
        "matrices in 8 bits": Side(matrices),
        "1-D convolutions in twice 8 bits": Side(small[2.0]),
        "buffers kept (arena): as the app runs it": Side(small[2.0], arena=True),
        "window of 1.5 s": Side(small[1.5], 1.5, arena=True),
        "window of 1.25 s": Side(small[1.25], 1.25, arena=True),
        "window of 1 s": Side(small[1.0], 1.0, arena=True),
        "2 s again, two threads": Side(small[2.0], threads=2, arena=True),
        "floating point, arena, two threads": Side(full, threads=2, arena=True),
    }


def _sounds() -> dict[str, Wave]:
    """Return two seconds each of various sounds, by name."""
    rng = np.random.default_rng(3)
    count = 2 * _RATE_HZ
    sounds = {
        "golden": golden_wave(count),
        "cry": synthesise.cry(2.0, rng),
        "room": synthesise.room_tone(2.0, rng),
        "speech": synthesise.speech_like(2.0, rng),
        "white noise": synthesise.white_noise_machine(2.0, rng),
    }
    return {name: np.resize(np.asarray(wave, np.float32), count) for name, wave in sounds.items()}


def _cut(wave: Wave, seconds: float) -> Wave:
    return wave[: int(seconds * _RATE_HZ)]


def _timed(session: Any, wave: Wave) -> Callable[[], float]:
    def call() -> float:
        began = time.perf_counter()
        _ask(session, wave)
        return 1000 * (time.perf_counter() - began)

    return call


def _ask(session: Any, wave: Wave) -> npt.NDArray[np.float64]:
    (row,) = session.run(["probabilities"], {"features": wave[None, None]})
    return np.asarray(row[0], np.float64)


def _distance(first: Any, second: Any, sounds: Mapping[str, Wave]) -> tuple[str, str]:
    """Return the largest differences in probabilities and in logits over all sounds.

    With random weights all labels get nearly the same probability, which hides differences; logarithms show them.
    """
    pairs = [(_ask(first, wave), _ask(second, wave)) for wave in sounds.values()]
    probabilities = max(float(np.abs(a - b).max()) for a, b in pairs)
    logits = max(float(np.abs(np.log(a) - np.log(b)).max()) for a, b in pairs)
    return f"{probabilities:.5f}", f"{logits:.4f}"


if __name__ == "__main__":
    main()
