"""Review of the nights: episodes in the order in which they are worth a look, and verdicts that can be undone.

A verdict goes into the history, and the episode's sound with its correct label into the library.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from babymonitor.core.history.history import (
    RIGHT,
    UNSURE,
    WRONG,
    AlertRow,
    History,
    HistoryError,
    NearMiss,
    Review,
)
from babymonitor.core.labels import UNCLEAR, canonical, label
from babymonitor.core.library.clip import AlreadyThereError, LibraryClip, LibraryError
from babymonitor.core.messages import Code, PersonError
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import SAMPLE_RATE, AudioError, Wave

if TYPE_CHECKING:  # the window opens sooner without the library
    from babymonitor.core.library.library import Library

CRYING, LOUD, NEAR_MISS = "crying", "loud", "near_miss"
"""Kinds of an `Episode`."""
_LONGEST_SECONDS = 120.0
_NOON = timedelta(hours=12)


class ReviewError(PersonError):
    """The sound of an episode is not available."""


@dataclass(frozen=True, slots=True)
class Episode:
    """An alert or a near miss, with the person's verdict.

    kind: ``crying``, ``loud`` or ``near_miss``. Times, levels and clip: as in `AlertRow`; a near miss was never raised.
    reasons: per label; for a near miss, the model's mean probabilities. verdict, label, reviewed: as in `Review`; None,
    "" and None until it is reviewed. sounds, threshold: as in `NearMiss`; {} and None for an alert.
    """

    id: int
    kind: str
    began: float
    raised: float | None
    ended: float | None
    peak_db: float
    peak_crying: float
    reasons: dict[str, float] = field(default_factory=dict)
    clip: str | None = None
    verdict: str | None = None
    label: str = ""
    reviewed: float | None = None
    sounds: dict[str, float] = field(default_factory=dict)
    threshold: float | None = None

    @classmethod
    def of_alert(cls, row: AlertRow, review: Review | None = None) -> Episode:
        episode = cls(
            row.id,
            row.kind,
            row.began,
            row.raised,
            row.ended,
            row.peak_db,
            row.peak_crying,
            row.reasons,
            row.clip,
        )
        if review is None:
            return episode
        return replace(episode, verdict=review.verdict, label=review.label, reviewed=review.reviewed)

    @classmethod
    def of_near_miss(cls, row: NearMiss) -> Episode:
        return cls(
            row.id,
            NEAR_MISS,
            row.began,
            None,
            row.ended,
            row.peak_db,
            row.peak_crying,
            row.probabilities,
            row.clip,
            row.verdict,
            row.label,
            row.reviewed,
            row.sounds,
            row.threshold,
        )

    @property
    def is_near_miss(self) -> bool:
        return self.kind == NEAR_MISS

    @property
    def key(self) -> str:
        """A unique key, such as ``alert:7``; the origin of its clip in the library."""
        return f"{'near-miss' if self.is_near_miss else 'alert'}:{self.id}"

    @property
    def guess(self) -> dict[str, float]:
        """The model's probabilities, as far as they were stored."""
        if self.is_near_miss:
            return dict(self.reasons)
        # An alert's reasons are shares of P(crying).
        return {name: round(share * self.peak_crying, 4) for name, share in self.reasons.items()}

    def verdict_for(self, name: str) -> str:
        """The verdict that follows from a label: whether raising the alarm, or not raising it, was right.

        A label outside the vocabulary does not mean crying.
        """
        return RIGHT if label(canonical(name)).crying is not self.is_near_miss else WRONG

    def certainty(self, threshold: float) -> float:
        """How far P(crying) was from the threshold at which the decision changes."""
        return abs(self.peak_crying - threshold)


@dataclass(frozen=True, slots=True)
class Mark:
    """A verdict that was given, and what is needed to undo it.

    before, after: the episode before and after. clip_id: the id of its sound in the library, "" for none. rows: the
    affected clips of the library as they were. sentence: why the library was not changed as it should, or "".
    """

    before: Episode
    after: Episode
    clip_id: str = ""
    rows: tuple[LibraryClip, ...] = ()
    sentence: str = ""


class Reviewer:
    """Reads episodes and stores verdicts. library: None if it could not be opened."""

    def __init__(self, history: History, library: Library | None, clips: Path) -> None:
        self._history = history
        self._library = library
        self._clips = clips

    @property
    def has_library(self) -> bool:
        return self._library is not None

    def episodes(self, since: float = 0.0, until: float = 1e12, near_misses: bool = True) -> list[Episode]:
        """Episodes that began in [since, until), newest first."""
        reviews = self._history.reviews(since, until)
        episodes = [Episode.of_alert(row, reviews.get(row.id)) for row in self._history.alerts(since, until)]
        if near_misses:
            episodes += [Episode.of_near_miss(row) for row in self._history.near_misses(since, until)]
        return sorted(episodes, key=lambda episode: episode.began, reverse=True)

    def queue(self, since: float, until: float, threshold: float) -> list[Episode]:
        """Finished episodes without a verdict, least certain first."""
        waiting = [row for row in self.episodes(since, until) if row.verdict is None and row.ended is not None]
        # Loudness is no measure of certainty: such alerts come last.
        return sorted(waiting, key=lambda row: (row.kind == LOUD, row.certainty(threshold), row.began))

    def again(self, episode: Episode) -> Episode | None:
        """Read the episode again; None if it no longer exists."""
        if episode.is_near_miss:
            near = self._history.near_miss(episode.id)
            return None if near is None else Episode.of_near_miss(near)
        row = self._history.alert(episode.id)
        return None if row is None else Episode.of_alert(row, self._history.review(row.id))

    def clip_path(self, episode: Episode) -> Path | None:
        """The path of its sound; None if no sound was kept or the file is gone."""
        path = None if episode.clip is None else self._clips / episode.clip
        return path if path is not None and path.is_file() else None

    def wave(self, episode: Episode) -> Wave:
        """Read its sound at 16 kHz. Raises ReviewError if there is none."""
        if episode.clip is None:
            raise ReviewError(Code.REVIEW_WITHOUT_SOUND)
        path = self.clip_path(episode)
        if path is None:
            raise ReviewError(Code.REVIEW_SOUND_GONE)
        try:
            return read_wave(path)[: int(_LONGEST_SECONDS * SAMPLE_RATE)]
        except AudioError as error:
            raise ReviewError(Code.REVIEW_SOUND_UNREADABLE, reason=error.message) from error

    def clips_of(self, episode: Episode) -> list[LibraryClip]:
        """Its clips in the library, usually one or none. Raises LibraryError."""
        if self._library is None:
            return []
        group = f"night-{night_date(episode.began)}"
        return [clip for clip in self._library.clips(group=group) if clip.origin == episode.key]

    def mark(
        self, episode: Episode, verdict: str, label: str, now: float, wave: Wave | None = None, baby: str = ""
    ) -> Mark:
        """Store a verdict, replacing an earlier one, in the history and in the library.

        label: "" if the person named none; then a right crying alert goes into the library as crying for an unclear
        reason, and a right near miss without a label. ``unsure`` puts nothing there. wave: the part to be kept, None
        for all of it. Raises HistoryError if it could not be stored; then nothing has changed.
        """
        name = canonical(label)
        if not name and verdict == RIGHT and episode.kind == CRYING:
            name = UNCLEAR
        before = self.again(episode) or episode
        mark = Mark(before, replace(before, verdict=verdict, label=name, reviewed=now))
        with self._one_change():
            try:
                if verdict == UNSURE or (verdict == WRONG and not name):
                    mark = self._taken_out(mark)
                else:
                    mark = self._put_in(mark, wave, baby)
            except (ReviewError, LibraryError) as error:
                mark = replace(mark, sentence=error.message)
            try:
                self._write_verdict(before, verdict, name, now)
            except HistoryError:
                self._restore(mark)
                raise
        return mark

    def undo(self, mark: Mark) -> str:
        """Restore history and library; returns a sentence if the library refused. Raises HistoryError."""
        before = mark.before
        self._write_verdict(before, before.verdict, before.label, before.reviewed or 0.0)
        with self._one_change():
            return self._restore(mark)

    def _one_change(self) -> contextlib.AbstractContextManager[None]:
        """Have the library announce all changes of a verdict, or of undoing it, as one."""
        return contextlib.nullcontext() if self._library is None else self._library.together()

    def _write_verdict(self, episode: Episode, verdict: str | None, label: str, now: float) -> None:
        if episode.is_near_miss:
            self._history.review_near_miss(episode.id, verdict, label, now)
        elif verdict is None:
            self._history.remove_review(episode.id)
        else:
            self._history.put_review(episode.id, verdict, label, now)

    def _taken_out(self, mark: Mark) -> Mark:
        """For a verdict without sound in the library: delete what an earlier verdict put there."""
        if self._library is None:
            return mark
        rows = tuple(self.clips_of(mark.before))
        self._library.delete([row.id for row in rows])
        return replace(mark, rows=rows)

    def _put_in(self, mark: Mark, wave: Wave | None, baby: str) -> Mark:
        """Put its sound into the library with its label, and delete other clips of it."""
        if self._library is None:
            raise LibraryError(Code.REVIEW_WITHOUT_LIBRARY)
        episode, name = mark.before, mark.after.label
        if wave is None:
            wave = self.wave(episode)
        rows = self.clips_of(episode)
        try:
            clip_id = self._library.add(
                wave,
                name,
                group=f"night-{night_date(episode.began)}",
                baby=baby,
                source="night",
                recorded=episode.began,
                guess=episode.guess,
                origin=episode.key,
            ).id
        except AlreadyThereError as error:
            clip_id = error.clip.id
            rows = [error.clip, *(row for row in rows if row.id != clip_id)]
            self._library.change([clip_id], label=name)
        self._library.delete([row.id for row in rows if row.id != clip_id])
        return replace(mark, clip_id=clip_id, rows=tuple(rows))

    def _restore(self, mark: Mark) -> str:
        if self._library is None:
            return ""
        try:
            if mark.clip_id and mark.clip_id not in {row.id for row in mark.rows}:
                self._library.delete([mark.clip_id])
            self._library.restore_rows(mark.rows)
        except LibraryError as error:
            return error.message
        return ""


def night_date(unix_seconds: float) -> str:
    """The date of the evening of a night, such as 2026-11-20: nights last from noon to noon, local time."""
    return (datetime.fromtimestamp(unix_seconds) - _NOON).date().isoformat()
