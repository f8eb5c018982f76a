"""What the monitor is doing, as one value: all that the state line, the bars and the tray need."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Activity(Enum):
    """The most urgent thing to show: not listening before crying, crying before the rest."""

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
        """Whether the monitor should be listening but is not, or not with its model."""
        return self in (Activity.DEAF, Activity.MUTED, Activity.MODEL_FAILED)


@dataclass(frozen=True, slots=True)
class MonitorState:
    """A snapshot of one room.

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
