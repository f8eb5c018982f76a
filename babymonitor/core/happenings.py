"""What happens in a room while the monitor listens. Window, terminal and every channel are listeners of these.

A listener is any `Callable[[Happening], None]`; the composition root hands it to the monitor. Happenings of one room
arrive in order, on the main thread, after the state they speak of has been reached.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from babymonitor.core.alerts.health import Health
from babymonitor.core.alerts.policy import AlertEvent
from babymonitor.core.history.history import AlertRow
from babymonitor.core.model.scorer import Score
from babymonitor.core.state import MonitorState


@dataclass(frozen=True, slots=True)
class Happening:
    """The base of all happenings.

    room: its name, empty for the only one. seconds: the position in the room's sound at which it could be known.
    """

    room: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Scored(Happening):
    """The model judged a window."""

    score: Score


@dataclass(frozen=True, slots=True)
class StateChanged(Happening):
    """What the monitor is doing became something else: listening, crying, snoozed, deaf …"""

    state: MonitorState


@dataclass(frozen=True, slots=True)
class HealthChanged(Happening):
    """The monitor's health changed. detail: one sentence for a person, empty when all is well."""

    health: Health
    detail: str


@dataclass(frozen=True, slots=True)
class AlertHappened(Happening):
    """An alert was raised or repeated, or it ended. row: as it stands in the history; id -1 where it is not kept."""

    event: AlertEvent
    row: AlertRow


@dataclass(frozen=True, slots=True)
class ClipSaved(Happening):
    """The sound of an alert has reached the disk. row: the alert's id. name: path relative to the clips folder."""

    row: int
    name: str


@dataclass(frozen=True, slots=True)
class NearMissSaved(Happening):
    """The sound of a near miss has reached the disk. row: the near miss's id. name: as of a clip."""

    row: int
    name: str


@dataclass(frozen=True, slots=True)
class Complaint(Happening):
    """Something went wrong that does not stop the listening. sentence: one sentence for a person."""

    sentence: str


Listener = Callable[[Happening], None]


class Outlet:
    """Tells happenings in order, even if a listener makes more of them happen while it is being told.

    tell: gets each happening. If it raises, what is still waiting is told at the next `flush`.
    """

    def __init__(self, tell: Listener) -> None:
        self._tell = tell
        self._waiting: deque[Happening] = deque()
        self._is_telling = False

    def add(self, happening: Happening) -> None:
        """Let a happening wait for the next `flush`."""
        self._waiting.append(happening)

    def flush(self) -> None:
        """Tell everything that waits. Called by a listener, it leaves that to the call that is telling already."""
        if self._is_telling:
            return
        self._is_telling = True
        try:
            while self._waiting:
                self._tell(self._waiting.popleft())
        finally:
            self._is_telling = False


def to_all(listeners: Sequence[Listener]) -> Listener:
    """Return a listener that passes each happening on to all of `listeners`, in their order."""

    def tell(happening: Happening) -> None:
        for listener in listeners:
            listener(happening)

    return tell
