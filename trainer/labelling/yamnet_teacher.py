"""A teacher that knows more sounds than any data set of ours: YAMNet, whose word is learnt beside the labels.

The network is told beside the labels what one trained on millions of clips makes of the very sound that is in a window,
before it goes through rooms, noise and cheap microphones to the network. Hinton, G. et al. (2015), "Distilling the
knowledge in a neural network", arXiv 1503.02531; that the teacher must hear what the pupil hears, and be asked of much
that no label fits: Beyer, L. et al. (2022), "Knowledge distillation: a good teacher is patient and consistent", CVPR.
What that gave the shipped model is in docs/reports/default-model-tried.md.
The teacher is not shipped, and none of its weights are.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from babymonitor.core.sound.wave import Wave
from babymonitor.core.whole_file import whole_file
from trainer.audio.augment import rms
from trainer.errors import DataError, existing

CLASSES = 521
"""Of AudioSet, as YAMNet knows them."""
BABY_CRY = 20
"""The class "baby cry, infant cry"."""
SLOT = 4096
"""Samples from one frame to the next where clips are labelled or learnt from: 0.256 s, the hop of the detector."""
FRAME = 15600
"""Samples of one frame: 0.975 s."""
_WINDOW_HOP = 8400
"""Between the frames of a window: three of them lie over two seconds."""

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
        self.identity = _identity(model)

    def word(self, window: Wave) -> npt.NDArray[np.float16]:
        """(samples,) → (521,): the highest score of each class in a window, brought to one loudness."""
        highest: npt.NDArray[np.float16] = self.scores(levelled(window), _WINDOW_HOP).max(0).astype(np.float16)
        return highest

    def scores(self, wave: Wave, hop: int = SLOT) -> Scores:
        if wave.size < FRAME:
            wave = np.pad(wave, (0, FRAME - wave.size))
        starts = range(0, max(1, wave.size - FRAME + hop), hop)
        return np.stack([self._frame(wave[min(start, wave.size - FRAME) :][:FRAME]) for start in starts])

    def _frame(self, wave: Wave) -> Scores:
        self._interpreter.set_tensor(self._input, np.ascontiguousarray(wave, np.float32))
        self._interpreter.invoke()
        return np.array(self._interpreter.get_tensor(self._output)[0], np.float32)


def _identity(model: Path) -> str:
    return hashlib.sha256(existing(model).read_bytes()).hexdigest()[:12]


def levelled(wave: Wave) -> Wave:
    """Brought to -20 dB: the teacher hears quiet recordings worse."""
    return np.asarray(np.clip(wave * min(0.1 / (rms(wave) + 1e-6), 30.0), -1.0, 1.0), np.float32)


class KeptTeacher:
    """A teacher that is asked once about each wave: its scores, in half precision, lie in `cache` under the content of
    both. Without a cache it is asked every time. It is opened when it is first needed.
    """

    def __init__(self, model: Path, cache: Path | None) -> None:
        self._model = model
        self._teacher: Teacher | None = None
        identity = _identity(model)
        self._folder = cache / f"lessons-{identity}" if cache else None
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)

    def scores(self, wave: Wave) -> npt.NDArray[np.float16]:
        """(samples,) → (frames, 521), a frame every `SLOT` samples."""
        kept = self._folder / f"{hashlib.sha256(wave.tobytes()).hexdigest()}.npy" if self._folder else None
        if kept and kept.is_file():
            known: npt.NDArray[np.float16] = np.load(kept)
            return known
        self._teacher = self._teacher or Teacher(self._model)
        told = self._teacher.scores(wave).astype(np.float16)
        if kept:
            # Of this process: several trainings may ask the same at once.
            suffix = f".{os.getpid()}.part"
            with whole_file(kept, suffix=suffix, flush_to_disk=False) as partial, partial.open("wb") as file:
                np.save(file, told)
        return told
