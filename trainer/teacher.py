"""A teacher that knows more sounds than any data set of ours: YAMNet, whose word on clips is learnt beside the labels.

What a small network learns from some hours of crying and household sound alone does not reach far. Told beside the
labels what a network trained on millions of clips makes of the same sound, heard clean, while it hears it through
rooms, noise and cheap microphones, it learns to tell cats from doors and laughter from speech, and keeps that for
sounds it never met. Hinton, G. et al. (2015), "Distilling the knowledge in a neural network", arXiv 1503.02531.
The teacher is not shipped, and none of its weights are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from babymonitor.core.features import Wave
from trainer.augment import rms
from trainer.corpora import Clip, DataError, existing
from trainer.waves import Waves

CLASSES = 521
"""Of AudioSet, as YAMNet knows them."""
SLOT = 4096
"""Samples from one frame to the next where clips are labelled or learnt from: 0.256 s, the hop of the detector."""
FRAME = 15600
"""Samples of one frame: 0.975 s."""

Scores = npt.NDArray[np.float32]


class Teacher:
    """YAMNet through LiteRT: (samples,) at 16 kHz → (frames, 521), the scores of a frame every `hop` samples."""

    def __init__(self, model: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(str(existing(model)), num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise DataError(f"{model} cannot be used as a teacher: it is not YAMNet's .tflite file.") from error
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def scores(self, wave: Wave, hop: int = SLOT) -> Scores:
        if wave.size < FRAME:
            wave = np.pad(wave, (0, FRAME - wave.size))
        starts = range(0, max(1, wave.size - FRAME + hop), hop)
        return np.stack([self._frame(wave[min(start, wave.size - FRAME) :][:FRAME]) for start in starts])

    def _frame(self, wave: Wave) -> Scores:
        self._interpreter.set_tensor(self._input, np.ascontiguousarray(wave, np.float32))
        self._interpreter.invoke()
        return np.array(self._interpreter.get_tensor(self._output)[0], np.float32)


def levelled(wave: Wave) -> Wave:
    """Brought to -20 dB: the teacher hears quiet recordings worse."""
    return np.asarray(np.clip(wave * min(0.1 / (rms(wave) + 1e-6), 30.0), -1.0, 1.0), np.float32)


class Lessons:
    """What the teacher says of clips. Asked once: it is kept in `cache` under the content of each clip."""

    def __init__(self, model: Path, clips: Sequence[Clip], waves: Waves, cache: Path) -> None:
        from tqdm import tqdm

        self.identity = hashlib.sha256(existing(model).read_bytes()).hexdigest()[:12]
        folder = cache / f"lessons-{self.identity}"
        folder.mkdir(parents=True, exist_ok=True)
        teacher: Teacher | None = None
        self._scores: dict[str, npt.NDArray[np.float16]] = {}
        for clip in tqdm(clips, desc="asking the teacher", unit="clip", disable=None):
            kept = folder / f"{waves.content(clip.path)}.npy"
            if not kept.is_file():
                teacher = teacher or Teacher(model)
                told = teacher.scores(levelled(waves.read(clip.path))).astype(np.float16)
                partial = kept.with_suffix(".part")
                with partial.open("wb") as file:
                    np.save(file, told)
                partial.replace(kept)
            self._scores[clip.path] = np.load(kept)

    def of(self, path: str, start: int, stop: int) -> npt.NDArray[np.float16]:
        """(521,): the highest score of each class in the frames that lie mostly in samples [start, stop)."""
        scores = self._scores[path]
        first = min(len(scores) - 1, -(-max(0, start - FRAME // 3) // SLOT))
        last = max(first, min(len(scores) - 1, (stop - FRAME + FRAME // 3) // SLOT))
        highest: npt.NDArray[np.float16] = scores[first : last + 1].max(0)
        return highest
