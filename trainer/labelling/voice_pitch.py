"""The second witness of crying: the pitch of the voice, which survives the telephone.

A newborn cries at 300 to 600 Hz and holds each cry for most of a second; adults speak at 80 to 300 Hz and hold no tone
for so long (Michelsson, K. and Michelsson, O. (1999), "Phonation in the newborn, infant cry", International Journal of
Pediatric Otorhinolaryngology 49). YAMNet takes many a cry through an 8 kHz codec for speech, or does not recognise it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.labelling.yamnet_teacher import SLOT, Scores

_HOP = 512
_FRAME = 1024
_FEWEST_FRAMES = 3
"""Of the eight in a slot: a run that only touches a slot says nothing about it."""
_RANGE_HZ = (240.0, 950.0)
_LOWEST_HZ = 290.0
"""Lowest median pitch of a run that can be a baby's."""
_LARGEST_STEP = 0.13
"""Between frames, of the logarithm of the pitch. A larger step is the beginning of another sound."""
_AUDIBLE_DB = 25.0


def held_voice(wave: Wave) -> Scores:
    """(samples,) at 16 kHz → (slots,): the seconds for which the high voice in a slot is held; 0 without a voice.

    Pitch by pYIN: Mauch, M. and Dixon, S. (2014), "pYIN: a fundamental frequency estimator using probabilistic
    threshold distributions", ICASSP.
    """
    slots = max(1, -(-wave.size // SLOT))
    if wave.size < 2 * _FRAME:
        return np.zeros(slots, np.float32)
    import librosa

    hertz, voiced, _ = librosa.pyin(
        wave, fmin=90, fmax=1000, sr=SAMPLE_RATE, frame_length=_FRAME, hop_length=_HOP, resolution=0.25
    )
    level = librosa.feature.rms(y=wave, frame_length=_FRAME, hop_length=_HOP)[0]
    # Frames without a pitch are NaN, for which both comparisons are false.
    high = voiced & (hertz > _RANGE_HZ[0]) & (hertz < _RANGE_HZ[1])
    high &= level > np.percentile(level, 99) * 10 ** (-_AUDIBLE_DB / 20)
    seconds = np.zeros(slots, np.float32)
    frames_per_slot = SLOT // _HOP
    for start, stop in _runs(high, hertz):
        if np.median(hertz[start:stop]) < _LOWEST_HZ:
            continue
        for slot in range(start // frames_per_slot, min(slots, (stop - 1) // frames_per_slot + 1)):
            shared = min(stop, (slot + 1) * frames_per_slot) - max(start, slot * frames_per_slot)
            if shared >= _FEWEST_FRAMES:
                seconds[slot] = max(seconds[slot], (stop - start) * _HOP / SAMPLE_RATE)
    return seconds


def _runs(high: npt.NDArray[np.bool_], hertz: npt.NDArray[np.floating]) -> list[tuple[int, int]]:
    """Return the runs of frames [start, stop) with an unbroken voice."""
    runs: list[tuple[int, int]] = []
    for frame in np.flatnonzero(high):
        if runs and runs[-1][1] == frame and abs(np.log(hertz[frame] / hertz[frame - 1])) < _LARGEST_STEP:
            runs[-1] = (runs[-1][0], int(frame) + 1)
        else:
            runs.append((int(frame), int(frame) + 1))
    return runs
