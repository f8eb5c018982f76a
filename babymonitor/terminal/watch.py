"""`babymonitor watch`: the monitor in the terminal, listening to the microphone, the demo or files."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import singledispatchmethod
from pathlib import Path
from typing import Any

from babymonitor.core import paths
from babymonitor.core.alerts.health import Health
from babymonitor.core.alerts.policy import Change
from babymonitor.core.happenings import (
    AlertHappened,
    ClipSaved,
    Complaint,
    Happening,
    HealthChanged,
    Listener,
    NearMissSaved,
    Scored,
    to_all,
)
from babymonitor.core.history.history import History, HistoryError
from babymonitor.core.labels import label
from babymonitor.core.model.classifier import Classifier, ModelError
from babymonitor.core.model.detector import Detector
from babymonitor.core.model.scorer import Score
from babymonitor.core.model.sounds import likely, other_sound, title
from babymonitor.core.settings import MICROPHONE, MODEL, SettingError, Settings
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import AudioError
from babymonitor.live import torch_conversion
from babymonitor.live.alarm import Alarm
from babymonitor.live.file_source import FileSource
from babymonitor.live.keep_awake import KeepAwake
from babymonitor.live.microphone import Microphone
from babymonitor.live.own_sound import OwnSound
from babymonitor.live.record.clip_writer import ClipWriter
from babymonitor.live.room import RING_SECONDS, Room
from babymonitor.live.sound_card import SoundCard
from babymonitor.live.source_keeper import Source
from babymonitor.live.waker import Waker

_POLL_SECONDS = 0.03


class UsageError(Exception):
    """The command line asks for something that does not exist; the message is one sentence."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        nargs="*",
        metavar="SOURCE",
        help="mic, mic:PART-OF-NAME, demo, or sound files; without it the microphone, or the demo where there is none",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--fast", action="store_true", help="files as quickly as they can be read")
    parser.add_argument("--model", type=Path, help="another model file")
    parser.add_argument("--no-alarm", action="store_true", help="no sound through the loudspeakers")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, for this run", dest="overrides"
    )


def run(arguments: argparse.Namespace) -> int:
    """Listen until the files end or Ctrl-C is pressed. Returns 0, or 2 for bad input."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = _settings(arguments.overrides)
        wanted = arguments.model or Path(settings[MODEL] or paths.default_model())
        classifier = Classifier(torch_conversion.usable(wanted, lambda text: print(text, file=sys.stderr, flush=True)))
        return _Watch(arguments, settings, classifier).run()
    except (UsageError, AudioError, ModelError, SettingError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        # The reader of our output has gone (`| head`). That is no error, but Python would report one at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (HistoryError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


def _settings(overrides: list[str]) -> Settings:
    settings = Settings(paths.settings_file())
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            raise UsageError(f"--set takes NAME=VALUE, not '{override}'.")
        settings.override(name.strip(), text)
    return settings


class _Watch:
    """One run: a plain loop in place of the timers of `Monitor`."""

    def __init__(self, arguments: argparse.Namespace, settings: Settings, classifier: Classifier) -> None:
        self._settings = settings
        self._classifier = classifier
        self._ring = RingBuffer(RING_SECONDS)
        self._print: _Printer = _Printer() if arguments.json else _SentencePrinter()
        self._fast = arguments.fast
        self._card: SoundCard | None = None
        self._source = self._choose_source(arguments.source)
        self._no_alarm = arguments.no_alarm or self._source.ends

    def _choose_source(self, words: list[str]) -> Source:
        if not words or words[0].partition(":")[0] == "mic":
            if len(words) > 1:
                raise UsageError("The microphone and files cannot be heard at once.")
            return self._microphone(words[0] if words else "")
        if words == ["demo"]:
            return self._demo()
        return FileSource(self._ring, [Path(word) for word in words], paced=not self._fast)

    def _microphone(self, word: str) -> Source:
        self._card = SoundCard()
        names = self._card.microphones()
        part = word.partition(":")[2]
        if not names and not word:
            self._print.note("No microphone was found: this is the demo recording, a short night made by a program.")
            return self._demo()
        if not names:
            raise UsageError("No microphone was found; 'babymonitor watch demo' plays a recording instead.")
        if part and not any(part.casefold() in name.casefold() for name in names):
            raise UsageError(f"No microphone's name contains '{part}'; there are {', '.join(names)}.")
        if self._fast:
            raise UsageError("--fast is for files: a microphone gives its sound as it comes.")
        return Microphone(self._ring, self._card, part or self._settings[MICROPHONE])

    def _demo(self) -> Source:
        return FileSource(self._ring, [paths.resource("demo.flac")], paced=not self._fast, name="demo")

    def run(self) -> int:
        # Files are judged, not lived through: they do not belong in the history of the nights.
        history = None if self._source.ends else History(paths.history_file())
        clips = None if history is None else ClipWriter(paths.clips_folder(), self._ring.sample_rate)
        clock: Callable[[], float] = time.monotonic
        if self._fast and self._source.ends:
            clock = self._seconds
        waker = Waker(self._settings, None if self._no_alarm else Alarm(self._card, self._settings), clock)
        own_sound = OwnSound(lambda: waker.is_sounding)
        listeners: list[Listener] = [self._print.tell]
        tell = to_all(listeners)
        room = Room("", self._settings, waker, own_sound, tell, history, clips, clock, self._ring)
        detector = Detector(self._classifier, self._ring)
        card = self._classifier.card
        room.use_rules(card.thresholds)
        awake = KeepAwake()
        for complaint in self._settings.complaints + (history.complaints if history else []):
            self._print.note(complaint)
        try:
            if not self._source.ends:
                awake.hold()
            room.start(self._source)
            self._print.started(self._source.name, card.name, card.labels, card.window_seconds, card.hop_seconds)
            self._loop(room, detector)
        except KeyboardInterrupt:
            pass
        finally:
            # Each of them whatever became of the one before: whoever read our lines may be gone.
            with ExitStack() as ending:
                if history is not None:
                    ending.callback(history.close)
                if clips is not None:
                    ending.callback(room.tick)
                    ending.callback(clips.close)
                ending.callback(awake.release)
                ending.callback(room.stop)
        self._print.ended(self._seconds())
        return 0

    def _loop(self, room: Room, detector: Detector) -> None:
        while not self._source.finished:
            room.tick()
            self._judge(room, detector.poll)
            if not self._fast:
                time.sleep(_POLL_SECONDS)
        self._judge(room, detector.finish)

    def _judge(self, room: Room, next_score: Callable[[], Score | None]) -> None:
        try:
            score = next_score()
        except ModelError as error:
            room.model_failed(str(error))
            return
        if score is not None:
            room.take(score)

    def _seconds(self) -> float:
        return self._ring.written / self._ring.sample_rate


class _Printer:
    """The terminal's listener: prints what happens. The base prints JSON lines; notes go to standard error."""

    @singledispatchmethod
    def tell(self, happening: Happening) -> None:
        """Print a happening. Some kinds are not shown in a terminal."""

    @tell.register
    def _(self, happening: Scored) -> None:
        self.score(happening.room, happening.score)

    @tell.register
    def _(self, happening: HealthChanged) -> None:
        if happening.health is not Health.STARTING:
            self.health(happening)

    @tell.register
    def _(self, happening: AlertHappened) -> None:
        self.alert(happening)

    @tell.register(ClipSaved)
    @tell.register(NearMissSaved)
    def _(self, happening: ClipSaved | NearMissSaved) -> None:
        self.note(f"The sound was kept: {paths.clips_folder() / happening.name}")

    @tell.register
    def _(self, happening: Complaint) -> None:
        self.note(happening.sentence)

    def note(self, sentence: str) -> None:
        print(sentence, file=sys.stderr, flush=True)

    def started(self, source: str, model: str, labels: tuple[str, ...], window: float, hop: float) -> None:
        values = {"source": source, "model": model, "labels": list(labels)}
        self._line("started", "", **values, window_seconds=window, hop_seconds=hop)

    def score(self, room: str, score: Score) -> None:
        values: dict[str, Any] = {
            "seconds": round(score.seconds, 3),
            "crying": round(score.crying, 4),
            "probabilities": _rounded(score.probabilities),
            "level_db": round(score.level_db, 1),
        }
        if score.sounds:  # only of a model that names other sounds
            values["heard"] = _rounded(likely(score.sounds))
        self._line("score", room, **values)

    def alert(self, happened: AlertHappened) -> None:
        alert, change, seconds = happened.event.alert, happened.event.change, round(happened.seconds, 3)
        reasons = _rounded(alert.reasons)
        if change is Change.ENDED:
            self._line("alert_ended", happened.room, seconds=seconds, id=alert.id, peak_db=round(alert.peak_db, 1))
        elif change is Change.REPEATED:
            self._line("alert_repeated", happened.room, seconds=seconds, id=alert.id)
        else:
            began = round(alert.began_seconds, 3)
            raised = round(alert.raised_seconds, 3)
            values = {"seconds": raised, "id": alert.id, "kind": alert.kind, "began_seconds": began}
            self._line("alert", happened.room, **values, reasons=reasons)

    def health(self, changed: HealthChanged) -> None:
        seconds = round(changed.seconds, 3)
        self._line("health", changed.room, seconds=seconds, state=changed.health.value, detail=changed.detail)

    def ended(self, seconds: float) -> None:
        self._line("ended", "", seconds=round(seconds, 3))

    def _line(self, event: str, room: str, **values: Any) -> None:
        print(json.dumps({"event": event, "room": room, **values}, ensure_ascii=False), flush=True)


class _SentencePrinter(_Printer):
    """Prints sentences for a person; on a terminal the last line shows the latest score."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()

    def note(self, sentence: str) -> None:
        self._say(sentence)

    def started(self, source: str, model: str, labels: tuple[str, ...], window: float, hop: float) -> None:
        self._say(f"Listening to {source} with the model {model}. Ctrl-C ends.")

    def score(self, room: str, score: Score) -> None:
        if self._live:
            words = label(max(score.probabilities, key=score.probabilities.__getitem__)).title
            if (other := other_sound(score)) is not None:
                words = title(other)  # alone, as there is room for no more
            bar = "█" * round(20 * score.crying)
            line = f"{_time(score.seconds)}  {score.level_db:6.1f} dB  crying {score.crying:4.0%} {bar:<20}"
            print(f"\r{line}  {words:<24}", end="", flush=True)

    def alert(self, happened: AlertHappened) -> None:
        alert, change, seconds = happened.event.alert, happened.event.change, happened.seconds
        what = "Crying" if alert.kind == "crying" else "Loud sound"
        if change is Change.ENDED:
            assert alert.ended_seconds is not None
            length = alert.ended_seconds - alert.began_seconds
            self._say(f"{_time(seconds)}  {what} is over after {length:.0f} s, loudest {alert.peak_db:.0f} dB.")
        elif change is Change.REPEATED:
            self._say(f"{_time(seconds)}  {what} has gone on since {_time(alert.began_seconds)}.")
        else:
            self._say(f"{_time(alert.raised_seconds)}  ALERT: {what.lower()} since {_time(alert.began_seconds)}.")

    def health(self, changed: HealthChanged) -> None:
        words = {Health.DEAF: "NOT LISTENING", Health.MUTED: "NOT LISTENING", Health.MODEL_FAILED: "MODEL FAILED"}
        word = words.get(changed.health, "Listening")
        self._say(f"{_time(changed.seconds)}  {word}{': ' * bool(changed.detail)}{changed.detail}")

    def ended(self, seconds: float) -> None:
        self._say(f"{_time(seconds)}  The end.")

    def _say(self, sentence: str) -> None:
        print(f"\r{sentence:<78}" if self._live else sentence, flush=True)


def _rounded(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: round(share, 4) for name, share in shares.items()}


def _time(seconds: float) -> str:
    return f"{int(seconds // 3600)}:{int(seconds // 60 % 60):02d}:{seconds % 60:04.1f}"
