"""What is kept of a night: alerts with their sound, minutes and gaps. No failure here may stop the listening."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from babymonitor.core.alerts.policy import Alert, AlertRules
from babymonitor.core.history.history import AlertRow, History, HistoryError, Minute, longer
from babymonitor.core.labels import label
from babymonitor.core.messages import Code, message
from babymonitor.core.model.scorer import Score
from babymonitor.core.model.sounds import likeliest
from babymonitor.core.settings import (
    CLIP_AFTER_SECONDS,
    CLIP_BEFORE_SECONDS,
    CLIP_LONGEST_SECONDS,
    KEEP_CLIPS,
    Settings,
)
from babymonitor.core.sound.ring import OverrunError, RingBuffer
from babymonitor.live.record.clip_writer import ClipKey, ClipWriter
from babymonitor.live.record.near_misses import NEAR_MISS, NearMisses

__all__ = ["ALERT", "NEAR_MISS", "NightRecord"]

ALERT = "alert"


@dataclass(slots=True)
class _PendingClip:
    row: int
    name: str
    start: int
    stop: int


class NightRecord:
    """Writes a room's night to the history, and hands each clip to the writer once the ring holds all of it.

    What goes wrong is collected as sentences in `complaints`, each once; the caller takes them from there.
    """

    def __init__(
        self, ring: RingBuffer, settings: Settings, history: History, clips: ClipWriter, room: str = ""
    ) -> None:
        self.complaints: list[str] = []
        self.room = room
        self._ring = ring
        self._settings = settings
        self._history = history
        self._clips = clips
        self._minutes = _Minutes(room)
        self._near_misses = NearMisses(ring, settings, history, clips, room)
        self._rows: dict[int, AlertRow] = {}
        self._pending: list[_PendingClip] = []
        self._gap: int | None = None
        self._complained: set[str] = set()

    def alert(self, alert: Alert, wall: Callable[[float], float]) -> AlertRow:
        """Bring an alert's row up to date. Returns the row; its id is -1 if it could not be kept.

        wall: from seconds of the sound to Unix seconds.
        """
        self._near_misses.alert(alert.id, alert.ended_seconds)
        row = AlertRow.of(alert, wall, self.room)
        if (known := self._rows.get(alert.id)) is not None:
            # When it began was reckoned then: the sound may have had a gap since.
            row = replace(row, id=known.id, began=known.began, raised=known.raised)
        with self._keeping():
            if known is None:
                id = self._history.add_alert(row.kind, row.began, row.raised, row.peak_db, row.peak_crying, self.room)
                row = self._rows[alert.id] = replace(row, id=id)
                self._begin_clip(id, alert, row.began)
            self._history.update_alert(row.id, row.ended, row.peak_db, row.peak_crying, row.reasons)
        if alert.ended_seconds is not None and alert.id in self._rows:
            self._end_clip(row.id, alert.ended_seconds)
            del self._rows[alert.id]
        return row

    def use_rules(self, rules: AlertRules) -> None:
        """Tell the near misses from which P(crying) on there is an alert."""
        self._near_misses.threshold = rules.start_threshold

    def score(self, score: Score, wall: Callable[[float], float], is_own: bool = False) -> None:
        """Add a score to its minute, and pass it to the near misses. wall: as for `alert`.

        is_own: what was heard may be what came out of our own loudspeakers.
        """
        self._put(self._minutes.add(score, wall(score.seconds)))
        with self._keeping():
            self._near_misses.score(score, wall, is_own)

    def begin_gap(self, state: str, detail: str) -> None:
        """Note that the monitor stopped listening now."""
        self.end_gap()
        with self._keeping():
            self._gap = self._history.add_gap(state, detail, time.time(), self.room)

    def end_gap(self) -> None:
        """Note that it listens again. Does nothing without a gap."""
        gap, self._gap = self._gap, None
        if gap is not None:
            with self._keeping():
                self._history.end_gap(gap, time.time())

    def past_gap(self, state: str, detail: str, began: float, ended: float) -> None:
        """Note a gap that was noticed only when it was over, in Unix seconds."""
        with self._keeping():
            self._history.end_gap(self._history.add_gap(state, detail, began, self.room), ended)

    def save_clips(self) -> list[tuple[ClipKey, str]]:
        """Hand over clips that the ring holds completely. Returns (key, name) of those that have reached the disk.

        The key's kind is ALERT or NEAR_MISS.
        """
        for clip in [clip for clip in self._pending if clip.stop <= self._ring.written]:
            self._pending.remove(clip)
            try:
                wave = self._ring.read(max(clip.start, self._ring.oldest), clip.stop)
            except (OverrunError, ValueError):
                self._complain(message(Code.ALERT_SOUND_LOST))
                continue
            self._clips.save(ClipKey(ALERT, clip.row, self.room), clip.name, wave)
        return self._written_clips()

    def close(self, wall: Callable[[float], float]) -> None:
        """Keep what is unfinished as it stands, because listening ends. wall: as for `alert`."""
        with self._keeping():
            self._near_misses.settle(wall)
        for clip in self._pending:
            clip.stop = min(clip.stop, self._ring.written)
        self.save_clips()
        self._put(self._minutes.flush())
        self.end_gap()

    def _written_clips(self) -> list[tuple[ClipKey, str]]:
        written = []
        for key, name, sentence in self._clips.take_results(self.room):
            if sentence:
                self._complain(sentence)
                continue
            with self._keeping():
                if key.kind == ALERT:
                    self._history.set_clip(key.row, name)
                elif self._history.near_miss(key.row) is not None:
                    self._history.set_near_miss_clip(key.row, name)
                else:  # replaced by a higher one in the meantime
                    self._clips.remove(name)
                    continue
            written.append((key, name))
        return written

    def _begin_clip(self, row: int, alert: Alert, began: float) -> None:
        if not self._settings[KEEP_CLIPS]:
            return
        rate = self._ring.sample_rate
        start = int((alert.began_seconds - self._settings[CLIP_BEFORE_SECONDS]) * rate)
        start = max(start, self._ring.cut_at, self._ring.oldest)
        stop = start + int(self._settings[CLIP_LONGEST_SECONDS] * rate)
        name = datetime.fromtimestamp(began).strftime(f"%Y-%m/%Y-%m-%d_%H-%M-%S_{row}.flac")
        self._pending.append(_PendingClip(row, name, start, stop))

    def _end_clip(self, row: int, ended_seconds: float) -> None:
        end = int((ended_seconds + self._settings[CLIP_AFTER_SECONDS]) * self._ring.sample_rate)
        for clip in self._pending:
            if clip.row == row:
                clip.stop = min(clip.stop, end)

    def _put(self, minutes: list[Minute]) -> None:
        with self._keeping():
            for minute in minutes:
                self._history.put_minute(minute)

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        """Turn a HistoryError into a complaint: a full disk must not stop the listening."""
        try:
            yield
        except HistoryError as error:
            self._complain(error.message)

    def _complain(self, sentence: str) -> None:
        if sentence not in self._complained:
            self._complained.add(sentence)
            self.complaints.append(sentence)


class _Minutes:
    """Gathers the scores of a room into minutes."""

    def __init__(self, room: str) -> None:
        self._room = room
        self._minute: Minute | None = None
        self._last_seconds: float | None = None

    def add(self, score: Score, wall: float) -> list[Minute]:
        """Add a score. Returns the finished minute, if this score begins the next one."""
        began = int(wall // 60 * 60)
        finished = self.flush() if self._minute is not None and began != self._minute.began else []
        minute = self._minute or Minute(began, score.level_db, score.crying, room=self._room)
        hop = 0.0 if self._last_seconds is None else min(1.0, score.seconds - self._last_seconds)
        self._last_seconds = score.seconds
        kinds = {"crying": score.crying}
        kinds.update({name: share for name, share in score.probabilities.items() if not label(name).crying})
        seconds = longer(minute.seconds, max(kinds, key=lambda kind: kinds[kind]), hop)
        sounds = longer(minute.sounds, likeliest(score.sounds), hop) if score.sounds else minute.sounds
        loudest, highest = max(minute.level_db, score.level_db), max(minute.crying, score.crying)
        self._minute = replace(minute, level_db=loudest, crying=highest, seconds=seconds, sounds=sounds)
        return finished

    def flush(self) -> list[Minute]:
        """Return the unfinished minute, if there is one, and start over."""
        minute, self._minute = self._minute, None
        return [] if minute is None else [minute]
