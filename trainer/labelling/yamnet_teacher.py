"""A teacher that knows more sounds than any of our data sets: YAMNet, whose scores are learnt beside the labels.

The network learns the scores that a network trained on millions of clips gives for the sound of each window, before
rooms, noise and cheap microphones are added to it. Hinton, G. et al. (2015), "Distilling the knowledge in a neural
network", arXiv 1503.02531. That the teacher must get the same sound as the student, and must be asked about much that
no label fits: Beyer, L. et al. (2022), "Knowledge distillation: a good teacher is patient and consistent", CVPR.
docs/reports/default-model-tried.md has the effect on the shipped model. Neither the teacher nor any of its weights are
shipped.
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
"""Number of YAMNet's classes, which are AudioSet's."""
BABY_CRY = 20
"""The class "baby cry, infant cry"."""
SLOT = 4096
"""Samples between frames where clips are labelled or learnt from: 0.256 s, the hop of the detector."""
FRAME = 15600
"""Samples of a frame: 0.975 s."""
_WINDOW_HOP = 8400
"""Samples between the frames of a window: three frames cover two seconds."""

Scores = npt.NDArray[np.float32]


class Teacher:
    """YAMNet in LiteRT. Raises DataError for a file that is not YAMNet's .tflite."""

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

    def window_scores(self, window: Wave) -> npt.NDArray[np.float16]:
        """(samples,) at 16 kHz → (521,): the highest score of each class in a window, brought to one loudness."""
        highest: npt.NDArray[np.float16] = self.scores(levelled(window), _WINDOW_HOP).max(0).astype(np.float16)
        return highest

    def scores(self, wave: Wave, hop: int = SLOT) -> Scores:
        """(samples,) at 16 kHz → (frames, 521): the scores of a frame every `hop` samples."""
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
    """Bring a wave to -20 dB, because the teacher recognises less in quiet recordings."""
    return np.asarray(np.clip(wave * min(0.1 / (rms(wave) + 1e-6), 30.0), -1.0, 1.0), np.float32)


class CachedTeacher:
    """A teacher that scores each wave only once.

    Its scores are stored in `cache`, in half precision, under the content of teacher and wave. Without a cache the
    teacher scores it every time. It is opened when it is first needed.
    """

    def __init__(self, model: Path, cache: Path | None) -> None:
        self._model = model
        self._teacher: Teacher | None = None
        identity = _identity(model)
        self._folder = cache / f"lessons-{identity}" if cache else None
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)

    def scores(self, wave: Wave) -> npt.NDArray[np.float16]:
        """(samples,) at 16 kHz → (frames, 521), a frame every `SLOT` samples."""
        file = self._folder / f"{hashlib.sha256(wave.tobytes()).hexdigest()}.npy" if self._folder else None
        if file and file.is_file():
            stored: npt.NDArray[np.float16] = np.load(file)
            return stored
        self._teacher = self._teacher or Teacher(self._model)
        scores = self._teacher.scores(wave).astype(np.float16)
        if file:
            # With the process number, because several trainings may compute the same scores at once.
            suffix = f".{os.getpid()}.part"
            with whole_file(file, suffix=suffix, flush_to_disk=False) as partial, partial.open("wb") as sink:
                np.save(sink, scores)
        return scores
