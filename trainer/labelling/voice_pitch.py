"""The second witness of who cries: the pitch of the voice, which no telephone takes away.

A newborn cries at 300 to 600 Hz and holds each cry for most of a second; grown-ups talk at 80 to 300 Hz and hold no
tone so long (Michelsson, K. and Michelsson, O. (1999), "Phonation in the newborn, infant cry", International Journal
of Pediatric Otorhinolaryngology 49). YAMNet takes many a cry through an 8 kHz codec for speech, or has no word for it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.labelling.yamnet_teacher import SLOT, Scores

_HOP = 512
_FRAME = 1024
_FEWEST_FRAMES = 3
"""Of the eight in a slot: a run that only touches a slot says nothing of it."""
_RANGE_HZ = (240.0, 950.0)
_LOWEST_HZ = 290.0
"""The median of a run that is a baby's."""
_LARGEST_STEP = 0.13
"""From frame to frame, of the logarithm: above it, another sound has begun."""
_AUDIBLE_DB = 25.0


def held_voice(wave: Wave) -> Scores:
    """(samples,) at 16 kHz → (slots,): for how many seconds the high voice is held that sounds in a slot, 0 for none.

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
    # NaN, which is what has no pitch, is between nothing.
    high = voiced & (hertz > _RANGE_HZ[0]) & (hertz < _RANGE_HZ[1])
    high &= level > np.percentile(level, 99) * 10 ** (-_AUDIBLE_DB / 20)
    seconds = np.zeros(slots, np.float32)
    each = SLOT // _HOP
    for start, stop in _runs(high, hertz):
        if np.median(hertz[start:stop]) < _LOWEST_HZ:
            continue
        for slot in range(start // each, min(slots, (stop - 1) // each + 1)):
            shared = min(stop, (slot + 1) * each) - max(start, slot * each)
            if shared >= _FEWEST_FRAMES:
                seconds[slot] = max(seconds[slot], (stop - start) * _HOP / SAMPLE_RATE)
    return seconds


def _runs(high: npt.NDArray[np.bool_], hertz: npt.NDArray[np.floating]) -> list[tuple[int, int]]:
    """Frames [start, stop) of one unbroken voice each."""
    runs: list[tuple[int, int]] = []
    for at in np.flatnonzero(high):
        if runs and runs[-1][1] == at and abs(np.log(hertz[at] / hertz[at - 1])) < _LARGEST_STEP:
            runs[-1] = (runs[-1][0], int(at) + 1)
        else:
            runs.append((int(at), int(at) + 1))
    return runs
