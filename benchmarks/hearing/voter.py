"""The 9-second voter: an SVM on mean features of five overlapping windows, as in the best-known open cry detector.

In the last nine seconds, windows of 5 s begin at 0, 1, 2, 3 and 4 s. A support vector machine with a radial kernel
votes on each of the five for crying or not; the majority decides. A window is the mean over its frames of 13 mel
cepstra, zero-crossing rate, RMS, spectral centroid, bandwidth and roll-off (each as `librosa.feature` defines it). The
SVM is trained here on the training side of the same data as our model, so that only the way of listening differs.

Its score is the **median** of the five windows' distances, squashed by the logistic function: it is ≥ 0.5 exactly where
at least three of five vote for crying, and still gives an operating curve.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import fft

from babymonitor.core.alerts.policy import AlertRules
from babymonitor.core.labels import label
from babymonitor.core.sound.levels import level_db
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.data.dataset import Clip, stable_random
from trainer.data.decoded_audio import DecodedAudio
from trainer.evaluation.listeners import Session, key_of
from trainer.evaluation.night_outcomes import ScoreSeries

Rows = npt.NDArray[np.float64]

WINDOWS = 5
WINDOW_SECONDS = 5
LISTEN_SECONDS = 9
FEATURES = 18

_FRAME, _STEP = 2048, 1000
_PER_SECOND = SAMPLE_RATE // _STEP
_PER_WINDOW = (WINDOW_SECONDS * SAMPLE_RATE - _FRAME) // _STEP + 1
_CEPSTRA, _MELS = 13, 128
_ROLL_OFF = 0.85
_BATCH_FRAMES = 256
_LEAST_CRYING = 2.0
_VERSION = 2


@lru_cache(maxsize=1)
def _mel_weights() -> npt.NDArray[np.float32]:
    import librosa

    return np.asarray(librosa.filters.mel(sr=SAMPLE_RATE, n_fft=_FRAME, n_mels=_MELS).T, np.float32)


def frame_features(wave: Wave) -> Rows:
    """(samples,) → (frames, 18): a frame of 2048 samples every 1000, none reaching beyond the end."""
    if wave.size < _FRAME:
        return np.zeros((0, FEATURES))
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(wave, np.float32), _FRAME)[::_STEP]
    return np.concatenate(
        [_features(frames[first : first + _BATCH_FRAMES]) for first in range(0, len(frames), _BATCH_FRAMES)]
    )


def _features(frames: npt.NDArray[np.float32]) -> Rows:
    window = np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME), np.float32)
    spectra = np.abs(fft.rfft(frames * window, axis=1))
    decibels = 10 * np.log10(np.maximum(spectra**2 @ _mel_weights(), 1e-10))
    cepstra = fft.dct(decibels, type=2, norm="ortho", axis=1)[:, :_CEPSTRA]
    hz = np.asarray(np.fft.rfftfreq(_FRAME, 1 / SAMPLE_RATE), np.float32)
    total = spectra.sum(1)
    safe = np.maximum(total, 1e-10)
    centroid = spectra @ hz / safe
    # The variance by its moments: the rounding error is far below what distinguishes sounds.
    bandwidth = np.sqrt(np.maximum(spectra @ hz**2 / safe - centroid**2, 0))
    along = np.cumsum(spectra, axis=1)
    roll_off = hz[(along >= _ROLL_OFF * along[:, -1:]).argmax(1)]
    crossings = np.mean(np.signbit(frames[:, 1:]) != np.signbit(frames[:, :-1]), axis=1)
    rms = np.sqrt(np.mean(frames**2, axis=1))
    columns = (crossings, rms, centroid, bandwidth, roll_off)
    return np.concatenate((cepstra, np.stack(columns, 1)), axis=1).astype(np.float64)


def window_features(wave: Wave) -> npt.NDArray[np.float64]:
    """The features (18,) of the first 5 s of (samples,), which is repeated where it is shorter."""
    rows: Rows = frame_features(np.resize(wave, WINDOW_SECONDS * SAMPLE_RATE))
    return np.asarray(rows.mean(0))


class Machine:
    """A fitted support vector machine, from a file without any code in it."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as stored:
            self._mean, self._deviation = stored["mean"], stored["deviation"]
            self._vectors, self._weights = stored["vectors"], stored["weights"]
            self._shift, self._gamma = float(stored["shift"]), float(stored["gamma"])
            self.about = json.loads(str(stored["about"]))
        self._lengths = (self._vectors**2).sum(1)

    def distances(self, rows: Rows) -> npt.NDArray[np.float64]:
        """Features (N, 18) → signed distances (N,)."""
        scaled = (rows - self._mean) / self._deviation
        squared = (scaled**2).sum(1)[:, None] + self._lengths - 2 * scaled @ self._vectors.T
        return np.asarray(np.exp(-self._gamma * np.maximum(squared, 0)) @ self._weights + self._shift)


class Voter:
    """The listener: judges once a second, from the ninth second of a sound on. Its alert rule: the majority, at once.

    A shorter sound is repeated to fill nine seconds, since silence behind it would be a sound of its own.
    """

    def __init__(self, path: Path) -> None:
        self.machine = Machine(path)
        self.name, self.file, self.key = "SVM voter", path, key_of("voter", path)
        self.rules = AlertRules(start_threshold=0.5, end_threshold=0.25, minimum_seconds=0.0)
        self.hop = SAMPLE_RATE

    def begin(self) -> Session:
        return _VoterSession(self.machine)

    def vote(self, wave: Wave) -> tuple[int, float]:
        """Judge nine seconds of sound, (samples,), by themselves: how many windows vote for crying, and the score."""
        parts = [wave[second * SAMPLE_RATE : (second + WINDOW_SECONDS) * SAMPLE_RATE] for second in range(WINDOWS)]
        distances = self.machine.distances(np.stack([window_features(part) for part in parts]))
        return int((distances >= 0).sum()), _score(distances)


def _score(distances: npt.NDArray[np.float64]) -> float:
    return float(1 / (1 + np.exp(-np.median(distances))))


class _VoterSession:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._rest = np.zeros(0, np.float32)
        self._newest = np.zeros(0, np.float32)  # two seconds, for the loudness of the last whole one
        self._samples = 0
        self._rows: Rows = np.zeros((0, FEATURES))
        self._first_row = 0
        self._seconds_done = WINDOW_SECONDS - 1
        self._distances: deque[float] = deque(maxlen=WINDOWS)
        self._beginning: list[Wave] = []
        self._out: list[tuple[int, float, float]] = []

    def push(self, block: Wave) -> None:
        # At most a second at once: then the newest sound is at hand when a judgement is due.
        for start in range(0, block.size, SAMPLE_RATE):
            part = block[start : start + SAMPLE_RATE]
            if not self._out:
                self._beginning.append(part)
            self._take(part)

    def finish(self) -> ScoreSeries:
        if self._out:
            return ScoreSeries.from_rows(self._out)
        wave = np.concatenate(self._beginning)
        session = _VoterSession(self._machine)
        session.push(np.resize(wave, LISTEN_SECONDS * SAMPLE_RATE))
        (_, score, _), *_ = session._out
        return ScoreSeries.from_rows([(wave.size, score, level_db(wave))])

    def _take(self, part: Wave) -> None:
        self._newest = np.concatenate((self._newest, part))[-2 * SAMPLE_RATE :]
        self._rest = np.concatenate((self._rest, part))
        self._samples += part.size
        new = frame_features(self._rest)
        self._rest = self._rest[len(new) * _STEP :]
        self._rows = np.concatenate((self._rows, new))
        while (self._seconds_done + 1) * SAMPLE_RATE <= self._samples:
            self._seconds_done += 1
            start = (self._seconds_done - WINDOW_SECONDS) * _PER_SECOND - self._first_row
            mean = self._rows[start : start + _PER_WINDOW].mean(0)
            self._distances.append(float(self._machine.distances(mean[None])[0]))
            self._rows, self._first_row = self._rows[start:], self._first_row + start
            if len(self._distances) == WINDOWS:
                self._beginning = []
                score = _score(np.array(self._distances))
                over = self._samples - self._seconds_done * SAMPLE_RATE
                second = self._newest[: self._newest.size - over][-SAMPLE_RATE:]
                self._out.append((self._seconds_done * SAMPLE_RATE, score, level_db(second)))


def _windows(clip: Clip, samples: int) -> list[tuple[int, bool]]:
    """At most three windows of 5 s in a clip of so many samples that are known to hold 2 s of crying, or none.

    Each is its first sample and whether it is crying.
    """
    length = samples / SAMPLE_RATE
    last = max(0, int(length - WINDOW_SECONDS))
    windows = []
    for second in sorted({0, last // 2, last}):
        end = min(length, second + WINDOW_SECONDS)
        cries = known = 0.0
        for span in clip.spans:
            inside = max(0.0, min(end, span.end) - max(second, span.start))
            known += inside
            cries += inside * label(span.label).crying
        if cries >= min(_LEAST_CRYING, 0.5 * (end - second)):
            windows.append((second * SAMPLE_RATE, True))
        elif cries == 0 and known >= 0.9 * (end - second):
            windows.append((second * SAMPLE_RATE, False))
    return windows


def trained(clips: Sequence[Clip], waves: DecodedAudio, folder: Path) -> Path:
    """Fit the voter to the training side's clips, with as many other windows as crying ones; returns its file.

    The file is cached in the folder. Deterministic: windows are drawn by their names; C and gamma are chosen by
    balanced accuracy over folds of groups. Raises ValueError for too few windows.
    """
    picked: dict[bool, list[tuple[str, Clip, int]]] = {True: [], False: []}
    for clip in clips:
        for start, cries in _windows(clip, waves.samples(clip.path)):
            picked[cries].append((f"{clip.path}@{start}", clip, start))
    count = min(len(picked[True]), len(picked[False]))
    if count < 10:
        raise ValueError("there are too few windows of crying or of anything else to train a voter by")
    for windows in picked.values():
        windows.sort(key=lambda window: stable_random(window[0], "voter"))
        del windows[count:]
    names = [[_VERSION, waves.content(clip.path), start] for windows in picked.values() for _, clip, start in windows]
    path = folder / f"voter-{hashlib.sha256(json.dumps(names).encode()).hexdigest()[:12]}.npz"
    if path.is_file():
        return path
    every = [*picked[True], *picked[False]]
    stop = WINDOW_SECONDS * SAMPLE_RATE
    rows = np.stack([window_features(waves.read(clip.path, start, start + stop)) for _, clip, start in every])
    was_crying = np.repeat([True, False], count)
    groups = np.array([clip.group for _, clip, _ in every])
    folder.mkdir(parents=True, exist_ok=True)
    return _fitted(rows, was_crying, groups, path)


def _fitted(rows: Rows, cries: npt.NDArray[np.bool_], groups: npt.NDArray[np.str_], path: Path) -> Path:
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.svm import SVC

    mean, deviation = rows.mean(0), np.maximum(rows.std(0), 1e-9)
    scaled = (rows - mean) / deviation
    folds = list(StratifiedGroupKFold(3).split(scaled, cries, groups))

    def merit(choice: tuple[float, float]) -> float:
        guess = np.zeros(len(cries), bool)
        for train, held in folds:
            guess[held] = SVC(C=choice[0], gamma=choice[1]).fit(scaled[train], cries[train]).predict(scaled[held])
        return float(balanced_accuracy_score(cries, guess))

    merits = {(c, gamma): merit((c, gamma)) for c in (1.0, 10.0, 100.0) for gamma in (0.3 / FEATURES, 1 / FEATURES)}
    c, gamma = max(merits, key=lambda choice: merits[choice])
    machine = SVC(C=c, gamma=gamma).fit(scaled, cries)
    about = {
        "windows": len(rows),
        "groups": len(np.unique(groups)),
        "support_vectors": int(machine.support_vectors_.shape[0]),
        "C": c,
        "gamma": round(gamma, 4),
        "balanced_accuracy_in_folds": round(merits[c, gamma], 4),
    }
    partial = path.with_suffix(".part.npz")
    np.savez(
        partial,
        mean=mean,
        deviation=deviation,
        vectors=machine.support_vectors_,
        weights=machine.dual_coef_[0],
        shift=machine.intercept_[0],
        gamma=gamma,
        about=json.dumps(about),
    )
    partial.replace(path)
    return path
