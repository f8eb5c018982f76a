"""The peer: Google's YAMNet in LiteRT on one thread, in the smallest listener that is a fair comparison.

    python -m benchmarks.yamnet FILE.flac      one JSON line per frame: seconds, and its score for a baby's cry

A frame is 0.975 s of sound at 16 kHz, and frames come every 0.48 s, as its authors use it. The network computes its own
features, so `judge` compares with our log-mel and our network together.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

DEFAULT_FILE = Path(__file__).resolve().parents[2] / "shared" / "peers" / "yamnet" / "yamnet.tflite"
RATE_HZ = 16_000
FRAME_SAMPLES = 15_600
HOP_SAMPLES = 7_680
BABY_CRY = 20


class Yamnet:
    """YAMNet, opened."""

    def __init__(self, path: Path = DEFAULT_FILE) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def judge(self, frame: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(15600,) at 16 kHz → (521,): the score of each class."""
        self._interpreter.set_tensor(self._input, frame)
        self._interpreter.invoke()
        scores: npt.NDArray[np.float32] = self._interpreter.get_tensor(self._output).reshape(-1)
        return scores


def missing(path: Path) -> str:
    """Return why the peer cannot be measured here, in a sentence; empty if it can."""
    if not path.is_file():
        return f"{path} is not here: YAMNet is left out."
    try:
        import ai_edge_litert.interpreter  # noqa: F401
    except ImportError:
        return "The package ai-edge-litert is not installed: YAMNet is left out."
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description="Listen to a file of 16 kHz mono with YAMNet.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--yamnet", type=Path, default=DEFAULT_FILE, help="the .tflite file")
    arguments = parser.parse_args()
    import soundfile

    network = Yamnet(arguments.yamnet)
    with soundfile.SoundFile(arguments.file) as sound:
        if sound.samplerate != RATE_HZ or sound.channels != 1:
            parser.error(f"{arguments.file} is not 16 kHz mono.")
        end = 0
        for frame in sound.blocks(FRAME_SAMPLES, FRAME_SAMPLES - HOP_SAMPLES, dtype="float32"):
            if len(frame) == FRAME_SAMPLES:
                end = end + HOP_SAMPLES if end else FRAME_SAMPLES
                cry = float(network.judge(frame)[BABY_CRY])
                print(json.dumps({"seconds": round(end / RATE_HZ, 3), "crying": round(cry, 4)}), flush=True)


if __name__ == "__main__":
    main()
