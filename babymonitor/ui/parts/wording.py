"""How the window words states, durations, reasons and levels; all of it can be translated."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QDate, QLocale

from babymonitor.core.alerts.sensitivity import NIGHT_HOURS, Rung
from babymonitor.core.labels import UNCLEAR, label
from babymonitor.core.messages import CONTEXT, Message, fill
from babymonitor.core.model.scorer import Score
from babymonitor.core.model.sounds import background_title, other_sound, title, worth_telling
from babymonitor.core.state import Activity, MonitorState
from babymonitor.ui.parts.theme import Tone

_QUIET_DB = -45.0
"""Below this level a room without a child's voice is called quiet."""

_SURE_SHARE, _SURE_MARGIN = 0.40, 0.10
"""A reason is named from this share on, and only this far ahead of the next: why a baby cries is hard to hear."""


_LEAST_SOUND_SECONDS, _MOST_SOUNDS = 5.0, 5
"""A kind of sound of which there was less in a night is not worth a word, nor are more kinds than these."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Wording", text)


def translated(sentence: str) -> str:
    """Return a sentence of `core` or `live` in the person's language; anything but a `Message` stays as it is."""
    if not isinstance(sentence, Message):
        return sentence
    template = QCoreApplication.translate(CONTEXT, sentence.code.value)
    parameters = {
        name: translated(value) if isinstance(value, str) else value for name, value in sentence.parameters.items()
    }
    return fill(template, parameters)


@dataclass(frozen=True, slots=True)
class StateWords:
    """The state line: a headline to be read from two metres, a detail beneath it, and the look of both."""

    headline: str
    detail: str
    tone: Tone
    symbol: str

    @property
    def text(self) -> str:
        """Headline and detail on one line, for tool tips, the tray and screen readers."""
        return f"{self.headline} — {self.detail}" if self.detail else self.headline


def state_words(state: MonitorState, score: Score | None, now: float) -> StateWords:
    """Return the words for a state. score: the last one, or the mean of the last. now: in Unix seconds."""
    activity = state.activity
    if activity is Activity.STOPPED:
        return StateWords(_tr("Stopped"), _tr("nobody is listening — press Start"), Tone.IDLE, "stopped")
    if activity is Activity.DEAF:
        detail = translated(state.detail) or _tr("no sound arrives, trying again")
        return StateWords(_tr("NOT LISTENING"), detail, Tone.FAULT, "fault")
    if activity is Activity.MUTED:
        detail = translated(state.detail) or _tr("the microphone gives nothing but silence")
        return StateWords(_tr("MUTED"), detail, Tone.FAULT, "muted")
    if activity is Activity.MODEL_FAILED:
        detail = translated(state.detail) or _tr("loudness wakes you")
        return StateWords(_tr("The model has failed"), detail, Tone.FAULT, "fault")
    if activity is Activity.STARTING:
        detail = translated(state.detail) or _tr("opening the microphone")
        return StateWords(_tr("Starting…"), detail, Tone.IDLE, "starting")
    snoozed = "" if state.snoozed_until is None else clock_text(state.snoozed_until)
    if activity in (Activity.CRYING, Activity.LOUD):
        lasted = duration_text(now - (state.since if state.since is not None else now))
        if activity is Activity.LOUD:
            headline = _tr("Loud for {duration}").format(duration=lasted)
            parts = [_tr("the model is silent") if state.detail else _tr("the model does not hear crying")]
        else:
            headline = _tr("Crying for {duration}").format(duration=lasted)
            parts = [reason_hint(score.reasons if score is not None else {})]
        if snoozed:
            parts.insert(0, _tr("snoozed until {time}").format(time=snoozed))
        symbol = "bell" if activity is Activity.LOUD else "crying"
        return StateWords(headline, " · ".join(part for part in parts if part), Tone.CRY, symbol)
    sound, is_voice = sound_word(score)
    if snoozed:
        detail = _tr("the alarm is silent until then") + (f" · {sound}" if sound else "")
        return StateWords(_tr("Snoozed until {time}").format(time=snoozed), detail, Tone.IDLE, "moon")
    headline = _tr("Listening · {sound}").format(sound=sound) if sound else _tr("Listening")
    return StateWords(headline, "", Tone.CALM, "voice" if is_voice else "listening")


def sound_word(score: Score | None) -> tuple[str, bool]:
    """Return a word for the present sound (empty without a score), and whether it is a child's voice."""
    if score is None or not score.probabilities:
        return "", False
    name = max(score.probabilities, key=lambda name: score.probabilities[name])
    if label(name).crying:
        return _tr("fussing"), True
    if name == "happy":
        return _tr("laughing"), True
    if name == "natural":
        return _tr("babbling"), True
    if name != "background":
        return label_title(name).lower(), True
    if other := other_sound(score):
        return small_first(sound_title(other)), False
    return (_tr("quiet") if score.level_db < _QUIET_DB else _tr("some noise")), False


def reason_hint(reasons: Mapping[str, float]) -> str:
    """Return the likeliest reason as a hint ("maybe hungry 41 %"), or that it is unclear; empty without reasons."""
    if not reasons:
        return ""
    name = sure_reason(reasons)
    if name is None:
        return _tr("not sure why")
    return _tr("maybe {reason} {share}").format(reason=label_title(name).lower(), share=percent_text(reasons[name]))


def sure_reason(reasons: Mapping[str, float]) -> str | None:
    """Return the likeliest reason if it is clear enough to be named, otherwise None."""
    ranked = sorted(reasons, key=lambda name: reasons[name], reverse=True)
    if not ranked or ranked[0] == UNCLEAR:
        return None
    share = reasons[ranked[0]]
    margin = share - (reasons[ranked[1]] if len(ranked) > 1 else 0.0)
    return ranked[0] if share >= _SURE_SHARE and margin >= _SURE_MARGIN else None


def top_reason(reasons: Mapping[str, float]) -> str:
    """Return the same as `reason_hint`, in the short form of a table."""
    return reason_hint(reasons).removeprefix(_tr("maybe ")) or "–"


def label_title(name: str) -> str:
    """Return a label's title in the person's language."""
    return translated(label(name).title)


def sound_title(name: str) -> str:
    """Return the title of a sound that is named beside the labels, in the person's language; "" is some other sound."""
    return translated(title(name))


def no_baby_title(other: str | None) -> str:
    """Return the title of "no baby", by what is heard instead; other: as `core.model.sounds.other_sound` names it."""
    return label_title("background") if other is None else translated(background_title(other))


def sounds_texts(seconds: Mapping[str, float]) -> list[str]:
    """Return how long sounds of each kind lasted, the longest first, each as "A dog: 3 min". seconds: as in a `Minute`.

    What did not last for `_LEAST_SOUND_SECONDS` is left out, and what is quiet or has no name.
    """
    words = _tr("{sound}: {duration}")
    kinds = list(worth_telling(seconds, _LEAST_SOUND_SECONDS).items())[:_MOST_SOUNDS]
    lengths = [duration_text(length) if length < 60 else minutes_text(length / 60) for _, length in kinds]
    return [
        words.format(sound=sound_title(name), duration=length) for (name, _), length in zip(kinds, lengths, strict=True)
    ]


def small_first(title: str) -> str:
    """Return a title as it stands within a sentence."""
    return title[:1].lower() + title[1:]


def short_label_title(name: str) -> str:
    """Return a label's title for a narrow place."""
    return _tr("Crying, unclear") if name == UNCLEAR else label_title(name)


def kind_title(kind: str) -> str:
    """Return the kind of an alert as a person reads it."""
    return {"crying": _tr("Crying"), "loud": _tr("Loud")}.get(kind, kind.replace("_", " ").capitalize())


def sensitivity_text(rung: Rung) -> str:
    """Return what a sensitivity was measured to give, in a sentence that promises no more than that."""
    if rung.false_alarms_per_hour is None or rung.caught is None:
        words = _tr(
            "Crying counts from {share} on; how often that wakes you for nothing, and how many cries it misses, "
            "was not measured for this model."
        )
        return words.format(share=percent_text(rung.start_threshold))
    alarms = _false_alarms_text(rung.false_alarms_per_hour * NIGHT_HOURS, rung.hours)
    parts = [alarms[:1].upper() + alarms[1:], _caught_text(rung.caught)]
    if rung.p95_delay_seconds is not None:
        parts.append(_tr("nearly always within {n} s").format(n=_rounded_up(rung.p95_delay_seconds)))
    elif rung.median_delay_seconds is not None:
        parts.append(_tr("half of them within {n} s").format(n=_rounded_up(rung.median_delay_seconds)))
    return ", ".join(parts) + "."


def no_stop_text(start_threshold: float, end_threshold: float) -> str:
    """Return a sentence on thresholds that are no stop of the model's curve, and on what the slider shows."""
    words = _tr(
        "Yours is none of the stops: crying counts from {start} on and ends below {end}. "
        "What that gives was not measured; the slider shows the nearest stop."
    )
    return words.format(start=percent_text(start_threshold), end=percent_text(end_threshold))


def _false_alarms_text(per_night: float, hours: float | None) -> str:
    if per_night == 0:
        # No alarm in so many hours does not mean never.
        if hours is None or hours < 1.5:
            return _tr("no false alarm in the nights it was tried on")
        return _tr("no false alarm in the {n} hours it was tried on").format(n=int(hours))
    if per_night < 2 / 3:
        return _tr("about 1 false alarm in {n} nights").format(n=round(1 / per_night))
    count = math.floor(per_night + 0.5)
    return _tr("about 1 false alarm a night") if count == 1 else _tr("about {n} false alarms a night").format(n=count)


def _caught_text(share: float) -> str:
    of_100 = round(100 * share)
    if share >= 1:
        return _tr("caught every cry it was tried on")
    if of_100 == 100:
        return _tr("catches more than 99 of 100 cries")
    return _tr("catches {n} of 100 cries").format(n=of_100) if of_100 else _tr("catches hardly any cry")


def _rounded_up(seconds: float) -> int:
    return max(1, math.ceil(round(seconds, 1)))


def plain(text: str) -> str:
    """Return text that is not ours (a file's name, a note) so that Qt takes it for no HTML in a tool tip or a box.

    Qt would even load what such HTML refers to.
    """
    return f'<span style="white-space: pre-wrap">{html.escape(text)}</span>' if "<" in text else text


def percent_text(share: float) -> str:
    """Return a share from 0 to 1 as 41 %."""
    return f"{round(100 * share)} %"


def level_text(level_db: float) -> str:
    """Return a level as −23 dB."""
    return _tr("{level} dB").format(level=f"{level_db:.0f}".replace("-", "−"))


def duration_text(seconds: float) -> str:
    """Return a duration as 24 s, 3 min 05 s or 1 h 20 min."""
    total = max(0, int(seconds))
    if total < 60:
        return _tr("{seconds} s").format(seconds=total)
    if total < 3600:
        return _tr("{minutes} min {seconds} s").format(minutes=total // 60, seconds=f"{total % 60:02d}")
    return _tr("{hours} h {minutes} min").format(hours=total // 3600, minutes=f"{total % 3600 // 60:02d}")


def minutes_text(minutes: float) -> str:
    """Return a duration without seconds as 7 min or 1 h 20 min."""
    total = round(minutes)
    if total < 60:
        return _tr("{minutes} min").format(minutes=total)
    return _tr("{hours} h {minutes} min").format(hours=total // 60, minutes=f"{total % 60:02d}")


def clock_text(unix_seconds: float, with_seconds: bool = False) -> str:
    """Return the local time of day as 02:40."""
    return time.strftime("%H:%M:%S" if with_seconds else "%H:%M", time.localtime(unix_seconds))


def day_text(unix_seconds: float, pattern: str = "ddd d MMM") -> str:
    """Return the local date in the person's language. pattern: as QLocale has it."""
    local = time.localtime(unix_seconds)
    return QLocale().toString(QDate(local.tm_year, local.tm_mon, local.tm_mday), pattern)
