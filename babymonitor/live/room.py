"""One room with a crib: its name, the ring its sound runs through, what is kept of it, and the listening."""

from __future__ import annotations

import time
from collections.abc import Callable

from babymonitor.core.happenings import ClipSaved, Complaint, Listener, NearMissSaved, Outlet, StateChanged
from babymonitor.core.history.history import History
from babymonitor.core.model.scorer import Score
from babymonitor.core.settings import Settings
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.state import Activity, MonitorState
from babymonitor.live.listening import Listening
from babymonitor.live.own_sound import OwnSound
from babymonitor.live.record.clip_writer import ClipWriter
from babymonitor.live.record.night_record import ALERT, NightRecord
from babymonitor.live.source_keeper import Source
from babymonitor.live.waker import Waker

RING_SECONDS = 180.0
"""Enough for the longest clip with the longest time before it, and the disk being slow on top."""


class Room:
    """Listens to one source at a time, or to none. All calls are made on the main thread.

    name: empty for the only room. waker, own_sound: shared by all rooms. tell: gets every happening.
    history, clips: None where nothing is to be kept (files). clock: as for `Listening`.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        waker: Waker,
        own_sound: OwnSound,
        tell: Listener,
        history: History | None = None,
        clips: ClipWriter | None = None,
        clock: Callable[[], float] = time.monotonic,
        ring: RingBuffer | None = None,
    ) -> None:
        self.name = name
        self.ring = RingBuffer(RING_SECONDS) if ring is None else ring
        self.listening: Listening | None = None
        """The stretch of listening that lasts; None while nobody listens."""
        self.is_recording = False
        """Set by whoever records this room's sound: until then, a better microphone is not looked for."""
        self._settings = settings
        self._waker = waker
        self._own_sound = own_sound
        self._outlet = Outlet(tell)
        self._clock = clock
        self._record = NightRecord(self.ring, settings, history, clips, name) if history and clips else None
        self._thresholds: dict[str, float] | None = None
        self._model_error = ""

    @property
    def state(self) -> MonitorState:
        return MonitorState(Activity.STOPPED) if self.listening is None else self.listening.state

    def start(self, source: Source) -> None:
        """Begin to listen to `source`. Does nothing where the room is listened to already."""
        if self.listening is not None:
            return
        self.listening = Listening(
            self.ring,
            source,
            self._settings,
            self._outlet,
            self._waker,
            self._own_sound,
            self._record,
            self._clock,
            self.name,
        )
        self.listening.use_rules(self._thresholds)
        self.listening.model_failed(self._model_error)
        self.listening.start()
        self._outlet.flush()

    def stop(self) -> None:
        """Stop listening; what lasts is ended and kept."""
        if self.listening is None:
            return
        self._end(is_restart=False)
        self._outlet.add(StateChanged(self.name, self._seconds, self.state))
        self._add_kept()
        self._outlet.flush()

    def change_source(self, source: Source) -> None:
        """Go on with another source. Snooze, alarm and acknowledgement survive."""
        if self.listening is not None:
            self._end(is_restart=True)
            self.start(source)

    def use_rules(self, thresholds: dict[str, float] | None) -> None:
        """Take the numbers from the settings anew; `thresholds` are those of the model in use."""
        self._thresholds = thresholds
        if self.listening is not None:
            self.listening.use_rules(thresholds)

    def model_failed(self, sentence: str) -> None:
        """Note why the detector gives no scores; empty when a model answers again."""
        self._model_error = sentence
        if self.listening is not None:
            self.listening.model_failed(sentence)

    def take(self, score: Score) -> None:
        """Judge a score of the detector."""
        if self.listening is not None:
            self.listening.take(score)
            self._outlet.flush()

    def tick(self) -> None:
        """Move sound and check the health; after the end, tell what has reached the disk since."""
        if self.listening is not None:
            self.listening.is_recording = self.is_recording
            self.listening.tick()
        self._add_kept()
        self._outlet.flush()

    def refresh_state(self) -> None:
        """Tell the state if it changed by something that happened outside the room, such as a snooze."""
        if self.listening is not None:
            self.listening.note_state()
            self._outlet.flush()

    @property
    def _seconds(self) -> float:
        """Seconds of sound so far."""
        return self.ring.written / self.ring.sample_rate

    def _end(self, is_restart: bool) -> None:
        listening, self.listening = self.listening, None
        if listening is not None:
            listening.stop(is_restart)

    def _add_kept(self) -> None:
        """Let it be told what has reached the disk since the last call, and what could not be kept."""
        if self._record is None:
            return
        for key, name in self._record.save_clips():
            saved = ClipSaved if key.kind == ALERT else NearMissSaved
            self._outlet.add(saved(self.name, self._seconds, key.row, name))
        complaints, self._record.complaints = self._record.complaints, []
        for sentence in complaints:
            self._outlet.add(Complaint(self.name, self._seconds, sentence))
