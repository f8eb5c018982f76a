"""The running monitor without widgets: rooms, with Qt's timers, threads and signals around them."""

from __future__ import annotations

import contextlib
import math
from functools import singledispatchmethod
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QThread, QTimer, Signal, Slot

from babymonitor.core import paths
from babymonitor.core.alerts.health import Health
from babymonitor.core.alerts.policy import AlertRules, Change
from babymonitor.core.happenings import (
    AlertHappened,
    ClipSaved,
    Complaint,
    Happening,
    NearMissSaved,
    Scored,
    StateChanged,
)
from babymonitor.core.history.history import History
from babymonitor.core.messages import Code, message
from babymonitor.core.model.classifier import ModelCard, ModelError
from babymonitor.core.model.model_shelf import take_into_use
from babymonitor.core.model.scorer import Score
from babymonitor.core.settings import MICROPHONE, MODEL, SNOOZE_MINUTES, Settings
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import SAMPLE_RATE, AudioError, Wave
from babymonitor.core.state import MonitorState
from babymonitor.live import torch_conversion
from babymonitor.live.alarm import Alarm
from babymonitor.live.detector_worker import DetectorWorker
from babymonitor.live.garbage_collector import GarbageCollector
from babymonitor.live.health_keeper import WITHOUT_SOUND
from babymonitor.live.keep_awake import KeepAwake
from babymonitor.live.microphone import Microphone
from babymonitor.live.own_sound import OwnSound
from babymonitor.live.record.clip_writer import ClipWriter
from babymonitor.live.record.recorder import Recorder
from babymonitor.live.room import Room
from babymonitor.live.sound_card import SoundCard, SoundCardError
from babymonitor.live.speaker import Speaker
from babymonitor.live.torch_conversion_worker import TorchConversionWorker
from babymonitor.live.waker import Waker

_TICK_MS = 30
_AWAKE_MS = 3000
_PLAYBACK_RATE = 44100
_LONGEST_END_MS = 5000

_left_behind: list[tuple[QThread, DetectorWorker]] = []
"""Detector threads that did not end in time. Qt aborts when a running thread is destroyed, so they stay alive here."""


def is_thread_left_behind() -> bool:
    """Whether a detector thread outlived its monitor. The process must then end without waiting for it."""
    return any(thread.isRunning() or not worker.wait_for_opening(0.0) for thread, worker in _left_behind)


class Monitor(QObject):
    """Owns the rooms, the detector's thread, the alarm and the loudspeakers.

    It is the window's listener: it turns what happens into signals. Others connect to `happened`. All signals are
    emitted on the main thread.
    """

    happened = Signal(object)
    """core.happenings.Happening: everything that happens in any room, in order."""
    state_changed = Signal(MonitorState)
    scored = Signal(object)
    """core.model.detector.Score, about four times a second."""
    alerts_changed = Signal()
    """The history changed: an alert began or ended, or a clip or a near miss was saved."""
    alert_raised = Signal(object)
    """core.history.history.AlertRow: someone is being woken (banner, tray message)."""
    model_changed = Signal()
    """`card`, `labels`, `start_threshold` and `model_name` may have changed."""
    microphones_changed = Signal()
    playback_changed = Signal(str)
    """The path of the clip that is being played, `WAVE` for one without a file, empty when it ends."""
    guessed = Signal(str, object, float)
    """The answer to `ask_guess`: its key, the mean probability of each label (empty where the model failed), and the
    highest P(crying) of any window."""
    complained = Signal(object)
    """core.messages.Message: one sentence on what went wrong without stopping the listening."""

    WAVE = "wave"
    """Stands for a path in `playback_changed` when a wave without a file is played."""

    _model_requested = Signal(str)
    _guess_requested = Signal(str, object)
    _conversion_requested = Signal(str)
    _look_requested = Signal()
    _worker_stop_requested = Signal()

    def __init__(self, settings: Settings, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.settings = settings
        self.history = history
        self.card: ModelCard | None = None
        """Of the model in use; None until one is open."""
        self.labels: tuple[str, ...] = ()
        self.model_name = ""
        self.model_path: Path | None = None
        """The model file in use. It differs from the setting `model` if that file was refused."""
        self.start_threshold = AlertRules.from_settings(settings).start_threshold
        self._card: SoundCard | None = None
        self._playing = ""
        self._is_shut_down = False
        self._keep_awake = KeepAwake()
        self._waker = Waker(settings)
        self._own_sound = OwnSound(lambda: self._waker.is_sounding)
        self._clips = ClipWriter(paths.clips_folder(), SAMPLE_RATE)
        self._room = Room("", settings, self._waker, self._own_sound, self._tell, history, self._clips)
        self._rooms = {self._room.name: self._room}
        self.state = self._room.state
        self.recorder = Recorder(self.ring, self._listen, self, self._room.name)
        """Makes recordings of what is heard, while the listening goes on."""
        self._conversions: tuple[QThread, TorchConversionWorker] | None = None
        self._garbage = GarbageCollector(self)
        self._garbage.start()  # before there is another thread
        self._thread, self._worker = self._begin_detector()
        self._look_for_models()
        self._tick_timer = QTimer(self)
        self._tick_timer.setInterval(_TICK_MS)
        self._tick_timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._tick_timer.timeout.connect(self._on_tick)
        self._awake_timer = QTimer(self, singleShot=True, interval=_AWAKE_MS)
        self._awake_timer.timeout.connect(self._on_awake_due)
        settings.on_change(self._on_setting_changed)

    def _begin_detector(self) -> tuple[QThread, DetectorWorker]:
        thread = QThread(self)
        thread.setObjectName("detector")
        worker = DetectorWorker({name: room.ring for name, room in self._rooms.items()})
        worker.moveToThread(thread)
        thread.started.connect(worker.start)
        worker.scored.connect(self._on_scored)
        worker.model_opened.connect(self._on_model_opened)
        worker.model_refused.connect(self.complained)
        worker.failed.connect(self._on_detector_failed)
        # Direct: the main thread is blocked in shut_down, waiting for this; quit() may be called from any thread.
        worker.stopped.connect(thread.quit, Qt.ConnectionType.DirectConnection)
        worker.guessed.connect(self.guessed)
        self._model_requested.connect(worker.use_model)
        self._guess_requested.connect(worker.guess)
        self._worker_stop_requested.connect(worker.stop)
        thread.start()
        if torch_conversion.is_torch(self.settings[MODEL]):
            self._model_requested.emit("")  # the shipped model listens until the conversion is done
        self._use_model(self.settings[MODEL])
        return thread, worker

    def _look_for_models(self) -> None:
        """Convert a `.pt` that the person has put into the models folder. Starts a thread only if there is one."""
        with contextlib.suppress(OSError):
            if torch_conversion.newest() is not None:
                self._begin_conversions()
                self._look_requested.emit()

    def _begin_conversions(self) -> None:
        if self._conversions is not None or self._is_shut_down:
            return
        thread = QThread(self)
        thread.setObjectName("model files")
        worker = TorchConversionWorker()
        worker.moveToThread(thread)
        worker.converted.connect(self._on_model_converted)
        worker.found.connect(self._on_model_found)
        worker.begun.connect(self.complained)
        worker.refused.connect(self.complained)
        self._conversion_requested.connect(worker.convert)
        self._look_requested.connect(worker.look)
        thread.start()
        self._conversions = thread, worker

    @property
    def ring(self) -> RingBuffer:
        """The sound of the room that the window shows."""
        return self._room.ring

    # What the person asks for

    def start(self) -> None:
        """Begin to listen."""
        if self._room.listening is not None or self._is_shut_down:
            return
        microphone = self._microphone()
        self._keep_awake.hold()
        self._awake_timer.start()
        self._room.start(microphone)
        self._tick_timer.start()

    def stop(self) -> None:
        """Stop listening; what lasts is ended and kept."""
        if self._room.listening is None:
            return
        self._awake_timer.stop()
        self._keep_awake.release()
        self.recorder.interrupt(message(Code.MONITOR_STOPPED))
        self._room.stop()

    def shut_down(self) -> None:
        """End everything, in order. The monitor cannot be started again.

        Afterwards no thread of ours runs, or else `is_thread_left_behind`: nothing interrupts the opening of a model.
        """
        self._is_shut_down = True
        self.recorder.close()
        self.stop()
        self._tick_timer.stop()
        self.stop_playing()
        if self._card is not None:
            self._alarm.stop()
        self._worker_stop_requested.emit()
        ended = self._thread.wait(_LONGEST_END_MS)
        if not (self._worker.wait_for_opening(_LONGEST_END_MS / 1000) and ended):
            # Never terminate(): a thread that dies with Python's lock in its hand leaves this one waiting for ever.
            self._thread.setParent(None)
            _left_behind.append((self._thread, self._worker))
        if self._conversions is not None:
            thread, worker = self._conversions
            worker.stop()
            thread.quit()
            thread.wait()
        self._clips.close()
        if not is_thread_left_behind():
            self._garbage.stop()
        self._room.tick()  # clips that were still being written when listening stopped

    def snooze(self, minutes: int | None = None) -> None:
        """Wake nobody for so long (None: as the settings say). The alarm of a fault goes on."""
        listening = self._room.listening
        if listening is None:
            return
        self._waker.snooze(self.settings[SNOOZE_MINUTES] if minutes is None else minutes)
        if listening.health is Health.LISTENING:
            self._waker.acknowledge()
        self._room.refresh_state()

    def end_snooze(self) -> None:
        self._waker.end_snooze()
        self._room.refresh_state()

    def acknowledge(self) -> None:
        """Silence the alarm that is sounding."""
        self._waker.acknowledge()
        self._room.refresh_state()

    def test_alarm(self) -> None:
        """Sound the alarm for a few seconds, through everything a real alarm goes through."""
        self._sound_card()
        self._complain(self._alarm.test())

    def microphones(self) -> list[str]:
        """Return the names of the microphones that are plugged in now."""
        card = self._sound_card()
        if self._room.listening is None:
            card.refresh()
        return card.microphones()

    def play(self, path: Path) -> None:
        """Play a clip through the loudspeakers until its end, the next `play`, or `stop_playing`."""
        try:
            wave = read_wave(path, _PLAYBACK_RATE)
        except AudioError as error:
            self._complain(message(Code.CLIP_CANNOT_BE_PLAYED, reason=error.message))
            return
        self._play(str(path), wave, _PLAYBACK_RATE)

    def play_wave(self, wave: Wave, loop: bool = False, start_seconds: float = 0.0) -> None:
        """Play (samples,) at the ring's rate from `start_seconds` on, once or in a loop.

        As with `play`, what played before ends, and `stop_playing` ends it. An alarm sounds all the same.
        """
        self._play(self.WAVE, wave, self.ring.sample_rate, loop, start_seconds)

    def _play(self, name: str, wave: Wave, rate: int, loop: bool = False, start_seconds: float = 0.0) -> None:
        self._sound_card()
        try:
            self._player.play(wave, rate, loop_seconds=math.inf if loop else None, start_seconds=start_seconds)
        except SoundCardError as error:
            self.stop_playing()
            self._complain(message(Code.CLIP_CANNOT_BE_PLAYED, reason=error.message))
            return
        self._playing = name
        self._own_sound.is_clip_playing = True
        self._tick_timer.start()
        self.playback_changed.emit(self._playing)

    def playback_position(self) -> float | None:
        """Return the position in seconds that is audible now; None while nothing plays."""
        return self._player.position_seconds if self._playing else None

    def stop_playing(self) -> None:
        if self._card is not None:
            self._player.stop()
        self._own_sound.is_clip_playing = False
        if self._playing:
            self._playing = ""
            self.playback_changed.emit("")

    def ask_guess(self, key: str, wave: Wave) -> None:
        """Ask the model in use about (samples,) at the ring's rate. `guessed` brings the answer, with the same key.

        It is worked out between the monitor's own windows. Asked again with the same key, only the new wave is judged.
        """
        self._guess_requested.emit(key, wave)

    # What happens

    @Slot()
    def _on_tick(self) -> None:
        if self._playing and not self._player.playing:
            self.stop_playing()
        self._room.is_recording = self.recorder.is_recording
        self._room.tick()
        listening = self._room.listening
        if listening is not None:
            if listening.health in WITHOUT_SOUND:
                self.recorder.interrupt(listening.state.detail)
        elif not self._playing and self._clips.idle:
            self._tick_timer.stop()

    @Slot()
    def _on_awake_due(self) -> None:
        """Complain if the system refuses to be kept awake: the person should know before the night."""
        if self._room.listening is not None and not self._keep_awake.is_held:
            self.complained.emit(message(Code.COMPUTER_MAY_SLEEP))

    @Slot(str, object)
    def _on_scored(self, room: str, score: Score) -> None:
        self._rooms[room].take(score)

    @Slot(object, str)
    def _on_model_opened(self, card: ModelCard, path: str) -> None:
        for room in self._rooms.values():
            room.model_failed("")
        self.card, self.labels, self.model_name, self.model_path = card, card.labels, card.name, Path(path)
        self._use_rules()

    @Slot(str, str)
    def _on_model_converted(self, path: str, made: str) -> None:
        if path == self.settings[MODEL]:
            self._model_requested.emit(made)

    @Slot(str)
    def _on_model_found(self, path: str) -> None:
        try:
            take_into_use(self.settings, Path(path))
        except ModelError as error:
            self.complained.emit(error.message)
            return
        except OSError as error:
            self.complained.emit(message(Code.SETTINGS_NOT_SAVED, reason=str(error.strerror)))
        self.complained.emit(message(Code.MODEL_FOUND, name=Path(path).name))

    @Slot(object)
    def _on_detector_failed(self, sentence: str) -> None:
        for room in self._rooms.values():
            room.model_failed(sentence)

    def _on_setting_changed(self, name: str) -> None:
        if name == MICROPHONE.name:
            if self._room.listening is not None:
                self.recorder.interrupt(message(Code.MONITOR_STOPPED))
                self._room.change_source(self._microphone())
        elif name == MODEL.name:
            self._use_model(self.settings[MODEL])
        else:
            self._use_rules()

    def _listen(self) -> str:
        """Start listening if nobody does. Returns why nothing can be heard, or an empty text when sound comes."""
        self.start()
        if self._room.listening is None or self._room.listening.health in WITHOUT_SOUND:
            return self.state.detail or message(Code.MONITOR_NOT_LISTENING)
        return ""

    def _use_model(self, path: str) -> None:
        """Use this model from now on. A `.pt` is converted first; the model in use goes on until then."""
        if torch_conversion.is_torch(path):
            self._begin_conversions()
            self._conversion_requested.emit(path)
        else:
            self._model_requested.emit(path)

    def _use_rules(self) -> None:
        thresholds = None if self.card is None else self.card.thresholds
        self.start_threshold = AlertRules.from_settings(self.settings, thresholds).start_threshold
        for room in self._rooms.values():
            room.use_rules(thresholds)
        self.model_changed.emit()

    # Happenings

    def _tell(self, happening: Happening) -> None:
        self._show(happening)
        self.happened.emit(happening)

    @singledispatchmethod
    def _show(self, happening: Happening) -> None:
        """Emit the signals that show a happening in the window. Some kinds need none."""

    @_show.register
    def _(self, happening: Scored) -> None:
        self.scored.emit(happening.score)

    @_show.register
    def _(self, happening: StateChanged) -> None:
        self.state = happening.state
        self.state_changed.emit(self.state)

    @_show.register
    def _(self, happening: Complaint) -> None:
        self.complained.emit(happening.sentence)

    @_show.register(ClipSaved)
    @_show.register(NearMissSaved)
    def _(self, _happening: ClipSaved | NearMissSaved) -> None:
        self.alerts_changed.emit()

    @_show.register
    def _(self, happening: AlertHappened) -> None:
        self.alerts_changed.emit()
        if happening.event.change is not Change.ENDED and happening.event.alarms:
            self.alert_raised.emit(happening.row)

    def _microphone(self) -> Microphone:
        return Microphone(self.ring, self._sound_card(), self.settings[MICROPHONE])

    def _sound_card(self) -> SoundCard:
        """Return the sound card, initialised on first use: probing all devices would delay the window."""
        if self._card is None:
            self._card = SoundCard()
            self._waker.alarm = self._alarm = Alarm(self._card, self.settings)
            self._player = Speaker(self._card)
            self.microphones_changed.emit()
        return self._card

    def _complain(self, sentence: str) -> None:
        if sentence:
            self.complained.emit(sentence)
