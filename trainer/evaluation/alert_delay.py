"""How long it takes from a cry's onset to the alert, through the app's own Detector and AlertPolicy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from babymonitor.core.alerts.policy import AlertPolicy, AlertRules, Change
from babymonitor.core.labels import label
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.detector import Detector
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.audio import synthetic
from trainer.audio.augment import add, rms
from trainer.data.dataset import Clip
from trainer.data.decoded_audio import DecodedAudio
from trainer.windows.strata import contiguous_runs

_LEAD_SECONDS = 6.0
_SHORTEST_CRY = 1.5


def alert_after(classifier: Classifier, wave: Wave, rules: AlertRules) -> float | None:
    """The second at which the first alert is given while (samples,) is heard, or None."""
    ring = RingBuffer(30.0)
    detector, policy = Detector(classifier, ring), AlertPolicy(rules)
    for start in range(0, wave.size, 1024):
        ring.write(wave[start : start + 1024])
        score = detector.poll()
        if score is None:
            continue
        for event in policy.feed(score):
            if event.change is Change.RAISED:
                return score.seconds
    return None


def onset_delays(classifier: Classifier, clips: Sequence[Clip], waves: DecodedAudio, seed: int = 1) -> dict[str, Any]:
    """Delays of all cries of at least 1.5 s, one per clip, in rooms that differ by what was there before.

    A span begins on a grid of 0.256 s, so that a delay is 0.13 s too long on average.
    """
    rules = AlertRules.of_card(classifier.card)
    rooms = {"quiet": ("pink", 35.0), "white noise at 10 dB": ("white", 10.0), "white noise at 0 dB": ("white", 0.0)}
    report: dict[str, Any] = {}
    for room, (colour, snr_db) in rooms.items():
        rng = np.random.default_rng(seed)
        delays: list[float | None] = []
        early = 0
        for clip in clips:
            for run in contiguous_runs(clip):
                cries = [span for span in run if label(span.label).crying]
                if not cries or cries[0].end - cries[0].start < _SHORTEST_CRY:
                    continue
                onset = int(cries[0].start * SAMPLE_RATE)
                cry = waves.read(clip.path, onset, int(min(run[-1].end, cries[0].start + 8) * SAMPLE_RATE))
                if rms(cry) <= 0:
                    continue
                wave = np.concatenate((np.zeros(int(_LEAD_SECONDS * SAMPLE_RATE), np.float32), cry))
                under = synthetic.coloured(rng, wave.size, 0.0 if colour == "white" else 1.0)
                # Its loudness is told by the cry alone, and it goes on under it.
                level = add(cry, under[-cry.size :], snr_db) - cry
                wave = wave + under * np.float32(rms(level) / max(rms(under[-cry.size :]), 1e-9))
                given = alert_after(classifier, wave / max(1.0, float(np.abs(wave).max())), rules)
                early += given is not None and given < _LEAD_SECONDS
                delays.append(None if given is None else given - _LEAD_SECONDS)
                break
        caught = np.array([delay for delay in delays if delay is not None and delay >= 0])
        report[room] = {
            "cries": len(delays),
            "caught": round(len(caught) / len(delays), 3) if delays else None,
            "before_onset": early,
            "median_seconds": round(float(np.median(caught)), 2) if len(caught) else None,
            "p95_seconds": round(float(np.percentile(caught, 95)), 2) if len(caught) else None,
        }
    return report
