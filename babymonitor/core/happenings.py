"""What happens in a room while the monitor listens. Window, terminal and every channel are listeners of these.

A listener is any `Callable[[Happening], None]`; the composition root hands it to the monitor. Happenings of one room
arrive in order, on the main thread, after the state they speak of has been reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from babymonitor.core.alerts.health import Health
from babymonitor.core.alerts.policy import AlertEvent
from babymonitor.core.history.history import AlertRow
from babymonitor.core.model.detector import Score
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


def to_all(listeners: Sequence[Listener]) -> Listener:
    """Return a listener that passes each happening on to all of `listeners`, in their order."""

    def tell(happening: Happening) -> None:
        for listener in listeners:
            listener(happening)

    return tell
