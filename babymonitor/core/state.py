"""What the monitor is doing, as one value: everything the state line, the bars and the tray need to know."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Activity(Enum):
    """The one thing to say first. Order of urgency: not listening, then crying, then the rest."""

    STOPPED = "stopped"
    STARTING = "starting"
    LISTENING = "listening"
    CRYING = "crying"
    LOUD = "loud"
    DEAF = "deaf"
    MUTED = "muted"
    MODEL_FAILED = "model_failed"

    @property
    def is_fault(self) -> bool:
        """The person believes it listens, and it does not (or not with its model)."""
        return self in (Activity.DEAF, Activity.MUTED, Activity.MODEL_FAILED)


@dataclass(frozen=True, slots=True)
class MonitorState:
    """A snapshot.

    source: the microphone's (or the demo's) name. detail: a sentence on a fault, empty otherwise.
    since: Unix seconds at which crying began, or the fault; None otherwise.
    snoozed_until: Unix seconds, None when not snoozed. alarm_sounding: the alarm can be heard now.
    """

    activity: Activity
    source: str = ""
    detail: str = ""
    since: float | None = None
    snoozed_until: float | None = None
    alarm_sounding: bool = False
