"""The grid of windows on which sound is judged: which stretches of a ring, and their features.

Windows end at fixed absolute samples, one hop apart, whoever asks, how often, and in whatever blocks the sound comes.
The live monitor asks through `Detector`; everything else replays sound through `core.model.replay`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from babymonitor.core.model.classifier import ModelCard
from babymonitor.core.model.features import Mel, fit_frames, front_end
from babymonitor.core.sound.levels import level_db
from babymonitor.core.sound.ring import OverrunError, RingBuffer


@dataclass(frozen=True, slots=True)
class Window:
    """One window of the grid.

    end_sample: the absolute sample after its last one. features: (rows, window_frames) float32, what a model is given.
    level_db: loudness of its newest hop, in dB relative to full scale. is_first: whether its grid begins with it, so
    that nothing before belongs to it.
    """

    end_sample: int
    features: Mel
    level_db: float
    is_first: bool = False


class WindowGrid:
    """Gives the windows of a ring one after the other, as their sound arrives. Not thread-safe.

    The first window is due when half of it has arrived; the missing half is mirrored. A caller that is a little late
    gets one window after the other, in order. One that is later than `MOST_LATE_HOPS` gets the newest window and the
    ones in between are skipped: what matters is what can be heard now. A cut in the ring starts a new grid.
    """

    MOST_LATE_HOPS = 4

    _origin: int
    _last_number: int
    _is_new: bool
    _frames_done: int
    _mel: Mel

    def __init__(self, card: ModelCard, ring: RingBuffer) -> None:
        self._ring = ring
        self._set_card(card)
        self._restart(max(ring.cut_at, ring.written - card.window_samples))
        self._skip_to_newest()

    def use(self, card: ModelCard) -> None:
        """Give windows for this model from now on. The next one ends where the old model's would have: none is missed.

        The ring must have the model's sampling rate.
        """
        due = self._next_end() if self._ring.cut_at <= self._origin else None
        self._set_card(card)
        self._restart(max(self._ring.cut_at, self._ring.written - card.window_samples))
        if due is None:
            self._skip_to_newest()
        else:
            self._continue_at(due)

    def poll(self) -> Window | None:
        """The next window that is complete and was not given yet; None when there is none."""
        if self._ring.cut_at > self._origin:
            self._restart(self._ring.cut_at)
        number = self._newest_number()
        if number <= self._last_number:
            return None
        if number - self._last_number <= self.MOST_LATE_HOPS:
            number = self._last_number + 1
        is_first = self._is_new
        self._last_number, self._is_new = number, False
        card = self._card
        stop_frame = self._first_frames + number * card.hop_frames
        start_frame = max(self._frames_done, stop_frame - card.window_frames)
        end = self._origin + self._spec.samples(stop_frame)
        try:
            wave = self._ring.read(self._origin + start_frame * self._spec.hop_length, end)
        except OverrunError:
            # The thread was held up for longer than the ring lasts. What comes now is judged as new sound.
            self._restart(self._ring.written)
            return None
        new = front_end(wave, self._spec)
        is_continuous = start_frame == self._frames_done
        self._mel = np.concatenate((self._mel, new), axis=1)[:, -card.window_frames :] if is_continuous else new
        self._frames_done = stop_frame
        return Window(end, fit_frames(self._mel, card.window_frames), level_db(wave[-card.hop_samples :]), is_first)

    def finish(self) -> Window | None:
        """At the end of a sound too short for a first window: one window of all there is, its beginning mirrored.

        None when a window was given before, or when the sound is shorter than one frame.
        """
        if self._last_number >= 0 or self._spec.frames(self._ring.written - self._origin) == 0:
            return None
        wave = self._ring.read(self._origin, self._ring.written)
        self._mel = front_end(wave, self._spec)
        self._last_number = 0
        return Window(self._ring.written, fit_frames(self._mel, self._card.window_frames), level_db(wave), True)

    def _set_card(self, card: ModelCard) -> None:
        self._card = card
        self._spec = card.features
        self._first_frames = max(1, card.window_frames // 2)

    def _restart(self, origin: int) -> None:
        """Start a new grid at this sample; nothing before it is used."""
        self._origin = origin
        self._mel = np.zeros((self._spec.rows, 0), np.float32)
        self._frames_done = 0
        self._last_number = -1
        self._is_new = True

    def _skip_to_newest(self) -> None:
        """Let the newest complete window be the next one."""
        self._last_number = max(-1, self._newest_number() - 1)

    def _newest_number(self) -> int:
        """The number of the newest complete window, -1 or less when there is none."""
        frames_ready = self._spec.frames(self._ring.written - self._origin)
        return (frames_ready - self._first_frames) // self._card.hop_frames

    def _next_end(self) -> int:
        """The sample at which the next window ends."""
        frames = self._first_frames + (self._last_number + 1) * self._card.hop_frames
        return self._origin + self._spec.samples(frames)

    def _continue_at(self, end: int) -> None:
        """Let the next window end at this sample, with as much of a full window before it as the ring still has."""
        card = self._card
        available_from = max(self._ring.cut_at, self._ring.oldest)
        most_hops = -(-(card.window_frames - self._first_frames) // card.hop_frames)
        for hops in range(most_hops, -1, -1):
            origin = end - self._spec.samples(self._first_frames + hops * card.hop_frames)
            if available_from <= origin <= self._ring.written:
                self._restart(origin)
                self._last_number = hops - 1
                return
