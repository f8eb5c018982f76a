"""Every setting, declared once with name, limits and wording: the source of the dialog, `--set` and the file."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from babymonitor.core.messages import Code, PersonError, message
from babymonitor.core.whole_file import write_whole

T = TypeVar("T", bool, int, float, str)


class SettingError(PersonError, ValueError):
    """A value that a setting does not accept."""


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A setting.

    name: in the file and after `--set`. default: also defines the type. least, most: limits of a number.
    unit, title, help: wording for the dialog. choices: (value, wording) pairs, if only certain values are allowed.
    section: its page in the dialog; "" for one that is stored but not shown (such as the window's geometry).
    """

    name: str
    default: T
    section: str = ""
    title: str = ""
    help: str = ""
    unit: str = ""
    least: float | None = None
    most: float | None = None
    choices: tuple[tuple[str, str], ...] = ()

    def check(self, value: Any) -> T:
        """The value in the setting's type. Raises SettingError if it is not accepted."""
        kind: type = type(self.default)
        if kind is float and type(value) is int:
            value = float(value)
        is_kind = type(value) is kind
        if not is_kind or (kind is float and not math.isfinite(value)):
            raise SettingError(Code.SETTING_WRONG_KIND, name=self.name, kind=message(_KINDS[kind]), value=repr(value))
        if self.least is not None and self.most is not None and not self.least <= value <= self.most:
            raise SettingError(Code.SETTING_OUT_OF_RANGE, name=self.name, least=self.least, most=self.most, value=value)
        if self.choices and value not in dict(self.choices):
            raise SettingError(
                Code.SETTING_NOT_A_CHOICE, name=self.name, choices=", ".join(dict(self.choices)), value=repr(value)
            )
        checked: T = value
        return checked

    def parse(self, text: str) -> T:
        """The value of a text (after `--set NAME=`). Raises SettingError if it is not accepted."""
        kind = type(self.default)
        if kind is bool:
            words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False}
            return self.check(words.get(text.strip().lower(), False if text.strip() == "0" else text))
        try:
            return self.check(kind(text))
        except ValueError as error:
            if isinstance(error, SettingError):
                raise
            raise SettingError(
                Code.SETTING_WRONG_KIND, name=self.name, kind=message(_KINDS[kind]), value=f"'{text}'"
            ) from error


_KINDS: dict[type, Code] = {
    bool: Code.KIND_SWITCH,
    int: Code.KIND_WHOLE_NUMBER,
    float: Code.KIND_NUMBER,
    str: Code.KIND_TEXT,
}

_HEARING, _ALARM, _CLIPS, _LIBRARY, _LOOK = "Hearing", "Alarm", "Clips", "Record & label", "Appearance"

MICROPHONE = Setting("microphone", "", _HEARING, "Microphone", "Remembered by name. Empty: the system's own choice.")
MODEL = Setting("model", "", _HEARING, "Model file", "Empty: the model that came with the program.")
USE_MODEL_THRESHOLDS = Setting(
    "use_model_thresholds",
    True,
    _HEARING,
    "Sensitivity",
    "More of it misses fewer cries, and wakes you for nothing more often.",
)
# The dialog sets these two by its sensitivity slider; they apply while use_model_thresholds is off.
START_THRESHOLD = Setting(
    "start_threshold", 0.6, _HEARING, "Crying starts at", "P(crying) from which it counts as crying.", "", 0.01, 0.999
)
END_THRESHOLD = Setting(
    "end_threshold", 0.3, _HEARING, "Crying ends below", "P(crying) below which it may be over.", "", 0.001, 0.999
)
MINIMUM_SECONDS = Setting(
    "minimum_seconds", 0.2, _ALARM, "Wake me after", "How long it must cry before the alarm is given.", "s", 0.0, 60.0
)
END_SECONDS = Setting(
    "end_seconds", 8.0, _ALARM, "Over after quiet of", "A baby draws breath, and pauses.", "s", 1.0, 300.0
)
COOL_DOWN_SECONDS = Setting(
    "cool_down_seconds", 5.0, _ALARM, "Then rest for", "The least time between two alerts.", "s", 0.0, 600.0
)
REPEAT_SECONDS = Setting(
    "repeat_seconds", 60.0, _ALARM, "Repeat every", "While crying lasts, the alarm is given again.", "s", 5.0, 3600.0
)
MAXIMUM_SECONDS = Setting(
    "maximum_seconds", 900.0, _ALARM, "Longest alert", "Then it is closed and a new one begins.", "s", 30.0, 7200.0
)
ALARM_ON = Setting("alarm_on", True, _ALARM, "Sound the alarm", "Off: only the window and the tray tell.")
ALARM_SECONDS = Setting(
    "alarm_seconds", 20.0, _ALARM, "Alarm sounds for", "Unless it is acknowledged before.", "s", 1.0, 600.0
)
ALARM_VOLUME = Setting("alarm_volume", 80, _ALARM, "Volume", "Of the alarm, not of the computer.", "%", 1, 100)
SNOOZE_MINUTES = Setting("snooze_minutes", 10, _ALARM, "Snooze for", "How long the snooze button lasts.", "min", 1, 240)
LOUD_ALERTS = Setting(
    "loud_alerts",
    # Off: dogs, doors and lorries are loud too, and people switch off a monitor that wakes them for nothing.
    False,
    _ALARM,
    "Any loud sound wakes me too",
    "Beside the model: whatever stands out from the background and lasts, a dog or a vacuum cleaner too. "
    "If the model fails, loudness wakes you in any case.",
)
LOUD_SECONDS = Setting(
    # At least 1: the end of our own alarm, which the microphone picks up, must not begin the next alert.
    "loud_seconds",
    3.0,
    _ALARM,
    "… once it has lasted",
    "A slammed door is over by then.",
    "s",
    1.0,
    60.0,
)
LOUD_RISE_DB = Setting(
    "loud_rise_db",
    18.0,
    _ALARM,
    "Loud means above background by",
    "The background is the middle level of the last minute: a noise that goes on becomes a part of it.",
    "dB",
    3.0,
    60.0,
)
LOUD_LEVEL_DB = Setting(
    "loud_level_db",
    -25.0,
    _ALARM,
    "… or louder than",
    "Whatever the background is; only where the model has failed.",
    "dB",
    -90.0,
    0.0,
)
KEEP_CLIPS = Setting("keep_clips", True, _CLIPS, "Keep the sound of alerts", "On this computer only.")
CLIP_BEFORE_SECONDS = Setting("clip_before_seconds", 5.0, _CLIPS, "From before", "", "s", 0.0, 30.0)
CLIP_AFTER_SECONDS = Setting("clip_after_seconds", 5.0, _CLIPS, "Until after", "", "s", 0.0, 30.0)
CLIP_LONGEST_SECONDS = Setting(
    "clip_longest_seconds", 60.0, _CLIPS, "At most", "A longer episode keeps its beginning.", "s", 5.0, 90.0
)
BABY_NAME = Setting(
    "baby_name", "", _LIBRARY, "Your baby's name", "Goes with every recording, so that two children are told apart."
)
PRE_ROLL_SECONDS = Setting(
    "pre_roll_seconds",
    2.0,
    _LIBRARY,
    "A recording begins earlier by",
    "What was heard just before the button was pressed belongs to it.",
    "s",
    0.0,
    30.0,
)
COUNT_IN = Setting(
    "count_in", False, _LIBRARY, "Count to three first", "Then it records what comes, and nothing before."
)
THEME = Setting(
    "theme",
    "system",
    _LOOK,
    "Theme",
    "Night is dim, red and large.",
    choices=(("system", "As the system"), ("light", "Light"), ("dark", "Dark"), ("night", "Night")),
)
CLOSE_TO_TRAY = Setting(
    "close_to_tray", True, _LOOK, "Go on listening in the tray", "When the window is closed and there is a tray."
)
LISTEN_AT_START = Setting("listen_at_start", True, _LOOK, "Listen as soon as the program opens", "")
WINDOW_GEOMETRY = Setting("window_geometry", "")
PREVIOUS_MODEL = Setting("previous_model", "")
"""The value of MODEL before the current one, for rolling back."""

SETTINGS: tuple[Setting[Any], ...] = tuple(value for value in list(globals().values()) if isinstance(value, Setting))
BY_NAME: dict[str, Setting[Any]] = {setting.name: setting for setting in SETTINGS}


class Settings:
    """The person's settings, read once, held in memory, and written to the file at each change.

    A file that cannot be read is renamed and the defaults are used; `complaints` says so. Without a path nothing is
    read or written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.complaints: list[str] = []
        self._values: dict[str, Any] = {}
        self._unknown: dict[str, Any] = {}
        self._listeners: list[Callable[[str], None]] = []
        if path is not None:
            self._read(path)

    def __getitem__(self, setting: Setting[T]) -> T:
        value: T = self._values.get(setting.name, setting.default)
        return value

    def __setitem__(self, setting: Setting[T], value: T) -> None:
        """Set and save. Raises SettingError for a value that is not accepted; then nothing has changed.

        Raises OSError if it could not be saved; then it applies to this run only.
        """
        checked = setting.check(value)
        if self[setting] == checked:
            return
        self._values[setting.name] = checked
        try:
            self._write()
        finally:
            # Also on a full disk: the display must agree with the value in effect.
            for listener in self._listeners:
                listener(setting.name)

    def override(self, name: str, text: str) -> None:
        """Apply `--set NAME=VALUE` to this run without saving. Raises SettingError for a wrong name or value."""
        if name not in BY_NAME:
            raise SettingError(Code.SETTING_UNKNOWN, name=name, names=", ".join(BY_NAME))
        self._values[name] = BY_NAME[name].parse(text)

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with a setting's name after each change of it."""
        self._listeners.append(listener)

    def _read(self, path: Path) -> None:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError):
            self._put_aside(path)
            return
        try:
            values = json.loads(text)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            self._put_aside(path)
            return
        for name, value in values.items():
            if name not in BY_NAME:
                self._unknown[name] = value  # of a newer version; preserved
                continue
            try:
                self._values[name] = BY_NAME[name].check(value)
            except SettingError as error:
                default = repr(BY_NAME[name].default)
                self.complaints.append(message(Code.SETTING_DEFAULT_USED, reason=error.message, value=default))

    def _put_aside(self, path: Path) -> None:
        aside = path.with_name(f"{path.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
        with contextlib.suppress(OSError):
            path.replace(aside)
        self.complaints.append(message(Code.SETTINGS_UNREADABLE, name=aside.name))

    def _write(self) -> None:
        if self.path is None:
            return
        text = json.dumps({**self._unknown, **self._values}, indent=2, sort_keys=True, ensure_ascii=False)
        write_whole(self.path, text + "\n")
