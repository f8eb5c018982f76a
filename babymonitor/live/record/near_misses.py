"""What was nearly an alert, kept so that a person can say what it was. No failure here may stop the listening."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from babymonitor.core.history.history import History, longer
from babymonitor.core.model.scorer import Score
from babymonitor.core.model.sounds import likeliest
from babymonitor.core.settings import CLIP_AFTER_SECONDS, CLIP_BEFORE_SECONDS, KEEP_CLIPS, Settings
from babymonitor.core.sound.levels import SILENCE_DB
from babymonitor.core.sound.ring import OverrunError, RingBuffer
from babymonitor.live.record.clip_writer import ClipKey, ClipWriter

NEAR_MISS = "near miss"
MOST_AN_HOUR = 6
"""Only the highest of an hour are kept, so that a noisy night fills neither the disk nor an evening of review."""
FLOOR_SHARE = 0.5
"""The share of the start threshold that P(crying) has to reach."""

_LEAST_SECONDS = 0.5
_FOLLOW_SECONDS = 10.0
"""No alert may follow within this time; and within this time after an alert, a rise belongs to that alert."""
_LONGEST_SECONDS = 60.0
_HOUR = 3600.0
_ROUNDING = 1e-6

Wall = Callable[[float], float]


@dataclass(slots=True)
class _Rise:
    """A stretch in which P(crying) is up, or was within the last seconds. Seconds are positions in the sound.

    cut_at: the ring's, when it began: what is before that does not belong to it. is_kept: its beginning is, already.
    """

    began: float
    last_up: float
    cut_at: int
    up_seconds: float = 0.0
    peak_crying: float = 0.0
    peak_db: float = SILENCE_DB
    scores: int = 0
    is_kept: bool = False
    sums: dict[str, float] = field(default_factory=dict)
    sounds: dict[str, float] = field(default_factory=dict)

    def add(self, score: Score, hop: float) -> None:
        self.last_up = score.seconds
        self.up_seconds += hop
        self.peak_crying = max(self.peak_crying, score.crying)
        self.peak_db = max(self.peak_db, score.level_db)
        self.scores += 1
        for name, share in score.probabilities.items():
            self.sums[name] = self.sums.get(name, 0.0) + share
        if score.sounds:
            self.sounds = longer(self.sounds, likeliest(score.sounds), hop)

    @property
    def probabilities(self) -> dict[str, float]:
        return {name: total / self.scores for name, total in self.sums.items()}


class NearMisses:
    """Keeps each rise of P(crying) that no alert follows as a row in the history, with its sound.

    HistoryError from any call when the history cannot be written. threshold: P(crying) from which on it is an alert.
    """

    def __init__(
        self, ring: RingBuffer, settings: Settings, history: History, clips: ClipWriter, room: str = ""
    ) -> None:
        self._room = room
        self.threshold = 0.6
        self._ring = ring
        self._settings = settings
        self._history = history
        self._clips = clips
        self._rise: _Rise | None = None
        self._alerts: set[int] = set()
        self._quiet_until = float("-inf")
        self._last_seconds = 0.0
        self._cut_at = ring.cut_at

    @property
    def floor(self) -> float:
        """P(crying) from which on it is a rise."""
        return FLOOR_SHARE * self.threshold

    def alert(self, id: int, ended_seconds: float | None) -> None:
        """Note that an alert lasts, or has ended: its beginning and its tail are no near misses."""
        self._rise = None
        if ended_seconds is None:
            self._alerts.add(id)
        else:
            self._alerts.discard(id)
            self._quiet_until = max(self._quiet_until, ended_seconds + _FOLLOW_SECONDS)

    def score(self, score: Score, wall: Wall, is_own: bool) -> None:
        """Take the next score.

        wall: from seconds of the sound to Unix seconds. is_own: our own loudspeakers made that sound.
        """
        hop = min(1.0, max(0.0, score.seconds - self._last_seconds)) if self._last_seconds else 0.0
        self._last_seconds = score.seconds
        if self._ring.cut_at > self._cut_at:
            self._cut_at = self._ring.cut_at
            self._settle(wall)
        if is_own:
            self._rise = None
        if is_own or self._alerts or score.seconds < self._quiet_until:
            return
        if score.crying >= self.floor:
            if self._rise is None:
                self._rise = _Rise(score.seconds - hop, score.seconds, self._ring.cut_at)
            self._rise.add(score, hop)
            if score.seconds - self._rise.began >= _LONGEST_SECONDS and not self._rise.is_kept:
                # Kept before the ring overwrites it; a sound that goes on for minutes is still one near miss.
                self._rise.is_kept = True
                self._keep(self._rise, wall)
        elif self._rise is not None and score.seconds - self._rise.last_up >= _FOLLOW_SECONDS:
            self._settle(wall)

    def settle(self, wall: Wall) -> None:
        """Keep a rise that is still open: the sound ends here, so no alert will follow."""
        self._settle(wall)
        self._alerts.clear()

    def _settle(self, wall: Wall) -> None:
        rise, self._rise = self._rise, None
        if rise is not None and not rise.is_kept:
            self._keep(rise, wall)

    def _keep(self, rise: _Rise, wall: Wall) -> None:
        if rise.up_seconds < _LEAST_SECONDS - _ROUNDING or not self._settings[KEEP_CLIPS]:
            return
        began, ended = wall(rise.began), wall(rise.last_up)
        if not self._make_room(began, rise.peak_crying):
            return
        rate = self._ring.sample_rate
        start = int((rise.began - self._settings[CLIP_BEFORE_SECONDS]) * rate)
        stop = int((rise.last_up + self._settings[CLIP_AFTER_SECONDS]) * rate)
        start = max(start, self._ring.oldest, rise.cut_at)
        stop = min(stop, self._ring.written if self._ring.cut_at == rise.cut_at else self._ring.cut_at)
        try:
            wave = self._ring.read(start, stop)
        except (OverrunError, ValueError):
            return
        id = self._history.add_near_miss(
            began,
            ended,
            rise.peak_crying,
            rise.peak_db,
            rise.probabilities,
            room=self._room,
            sounds=rise.sounds,
            threshold=self.threshold,
        )
        # Unlike the name of an alert's clip: both kinds of rows are numbered from one.
        name = datetime.fromtimestamp(began).strftime(f"%Y-%m/near-miss_%Y-%m-%d_%H-%M-%S_{id}.flac")
        self._clips.save(ClipKey(NEAR_MISS, id, self._room), name, wave)

    def _make_room(self, began: float, peak_crying: float) -> bool:
        """Return whether it is among the highest of its hour; if so, drop the lowest that nobody has reviewed."""
        rows = [row for row in self._history.near_misses(began - _HOUR, began + _HOUR) if row.room == self._room]
        if len(rows) < MOST_AN_HOUR:
            return True
        unseen = [row for row in rows if row.reviewed is None]
        lowest = min(unseen, key=lambda row: row.peak_crying, default=None)
        if lowest is None or lowest.peak_crying >= peak_crying:
            return False
        self._history.remove_near_miss(lowest.id)
        if lowest.clip is not None:
            self._clips.remove(lowest.clip)
        return True
