"""The running monitor without pixels: `Listening` with Qt's timers, threads and signals around it."""

from __future__ import annotations

import contextlib
import math
import time
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QThread, QTimer, Signal, Slot

from babymonitor.core import paths
from babymonitor.core.alerts.health import Health
from babymonitor.core.alerts.policy import Alert, AlertRules, Change
from babymonitor.core.history.history import AlertRow, History, HistoryError
from babymonitor.core.model.classifier import ModelCard
from babymonitor.core.model.detector import Score
from babymonitor.core.settings import MICROPHONE, MODEL, SNOOZE_MINUTES, Settings
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import AudioError, Wave
from babymonitor.core.state import Activity, MonitorState
from babymonitor.live import torch_conversion
from babymonitor.live.alarm import Alarm
from babymonitor.live.detector_worker import DetectorWorker
from babymonitor.live.garbage_collector import GarbageCollector
from babymonitor.live.keep_awake import KeepAwake
from babymonitor.live.listening import (
    RING_SECONDS,
    AlertHappened,
    ClipSaved,
    Complaint,
    Happening,
    Listening,
    NearMissSaved,
)
from babymonitor.live.microphone import Microphone
from babymonitor.live.record.clip_writer import ClipWriter
from babymonitor.live.record.night_record import NightRecord
from babymonitor.live.record.recorder import Recorder
from babymonitor.live.sound_card import SoundCard, SoundCardError
from babymonitor.live.speaker import Speaker
from babymonitor.live.torch_conversion_worker import ModelFilesWorker

_TICK_MS = 30
_AWAKE_MS = 3000
_PLAYBACK_RATE = 44100
_LONGEST_END_MS = 5000
_WITHOUT_SOUND = (Health.DEAF, Health.MUTED)

_left_behind: list[tuple[QThread, DetectorWorker]] = []
"""Detector threads that did not end in time. They are kept here: Qt aborts when one is destroyed while it runs."""


def is_thread_left_behind() -> bool:
    """Whether a detector thread still runs after its monitor was shut down: the process must then end without it."""
    return any(thread.isRunning() or not worker.wait_for_opening(0.0) for thread, worker in _left_behind)


class Monitor(QObject):
    """Owns microphone, detector thread, alarm and watchdogs. All signals are emitted on the main thread."""

    state_changed = Signal(MonitorState)
    scored = Signal(object)
    """core.detector.Score, about four times a second."""
    alerts_changed = Signal()
    """Something in the history is new or different: an alert began or ended, its clip or a near miss was saved."""
    alert_raised = Signal(object)
    """core.history.AlertRow: someone is being woken (banner, tray message)."""
    model_changed = Signal()
    """`card`, `labels`, `start_threshold` and `model_name` may have changed."""
    microphones_changed = Signal()
    playback_changed = Signal(str)
    """The path of the clip that is being played, `WAVE` for one without a file, empty when it ends."""
    guessed = Signal(str, object, float)
    """What `ask_guess` asked for: its key, the mean probability of each label (empty where none could be had), and the
    highest P(crying) of any second."""
    complained = Signal(object)
    """One sentence for the person: something went wrong that does not stop the listening."""

    WAVE = "wave"
    """What `playback_changed` tells in the place of a path."""

    _model_requested = Signal(str)
    _guess_requested = Signal(str, object)
    _conversion_requested = Signal(str)
    _look_requested = Signal()
    _worker_stop_requested = Signal()

    def __init__(self, settings: Settings, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.settings = settings
        self.history = history
        self.ring = RingBuffer(RING_SECONDS)
        self.state = MonitorState(Activity.STOPPED)
        self.card: ModelCard | None = None
        """Of the model in use; None until one is open."""
        self.labels: tuple[str, ...] = ()
        self.model_name = ""
        self.model_path: Path | None = None
        """The file that is asked, which is another than the settings name where that one was refused."""
        self.start_threshold = AlertRules.from_settings(settings).start_threshold
        self._model_error = ""
        self._card: SoundCard | None = None
        self._listening: Listening | None = None
        self._ended: Listening | None = None
        self._playing = ""
        self._is_shut_down = False
        self._keep_awake = KeepAwake()
        self._clips = ClipWriter(paths.clips_folder(), self.ring.sample_rate)
        self._record = NightRecord(self.ring, settings, history, self._clips)
        self.recorder = Recorder(self.ring, self._listen, self)
        """Keeps what is heard as recordings, while the listening goes on."""
        self._conversions: tuple[QThread, ModelFilesWorker] | None = None
        self._garbage = GarbageCollector(self)
        self._garbage.start()  # before there is another thread
        self._thread, self._worker = self._begin_detector()
        self._look_for_models()
        self._tick_timer = QTimer(self)
        self._tick_timer.setInterval(_TICK_MS)
        self._tick_timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._tick_timer.timeout.connect(self._on_tick)
        settings.on_change(self._on_setting_changed)

    def _begin_detector(self) -> tuple[QThread, DetectorWorker]:
        thread = QThread(self)
        thread.setObjectName("detector")
        worker = DetectorWorker(self.ring)
        worker.moveToThread(thread)
        thread.started.connect(worker.start)
        worker.scored.connect(self._on_scored)
        worker.model_opened.connect(self._on_model_opened)
        worker.model_refused.connect(self.complained)
        worker.failed.connect(self._on_detector_failed)
        # Direct: quit() may be called from any thread, and the main one is waiting for it in shut_down.
        worker.stopped.connect(thread.quit, Qt.ConnectionType.DirectConnection)
        worker.guessed.connect(self.guessed)
        self._model_requested.connect(worker.use_model)
        self._guess_requested.connect(worker.guess)
        self._worker_stop_requested.connect(worker.stop)
        thread.start()
        if torch_conversion.is_torch(self.settings[MODEL]):
            self._model_requested.emit("")  # hears until the other one is ready
        self._use_model(self.settings[MODEL])
        return thread, worker

    def _look_for_models(self) -> None:
        """See whether the person has put a `.pt` into the models folder; without one, no thread is begun for it."""
        with contextlib.suppress(OSError):
            if torch_conversion.newest() is not None:
                self._begin_conversions()
                self._look_requested.emit()

    def _begin_conversions(self) -> None:
        if self._conversions is not None or self._is_shut_down:
            return
        thread = QThread(self)
        thread.setObjectName("model files")
        worker = ModelFilesWorker()
        worker.moveToThread(thread)
        worker.converted.connect(self._on_model_converted)
        worker.found.connect(self._on_model_found)
        worker.begun.connect(self.complained)
        worker.refused.connect(self.complained)
        self._conversion_requested.connect(worker.convert)
        self._look_requested.connect(worker.look)
        thread.start()
        self._conversions = thread, worker

    # What the person asks for

    def start(self) -> None:
        """Begin to listen."""
        if self._listening is not None or self._is_shut_down:
            return
        card = self._sound_card()
        self._listening = Listening(
            self.ring,
            Microphone(self.ring, card, self.settings[MICROPHONE]),
            self.settings,
            self._record,
            self._alarm,
        )
        self._listening.use_rules(self._thresholds())
        if self._model_error:
            self._listening.model_failed(self._model_error)
        self._keep_awake.hold()
        QTimer.singleShot(_AWAKE_MS, self._on_awake_due)
        self._listening.start()
        self._tick_timer.start()

    def stop(self) -> None:
        """Listen no longer; what lasts is ended and kept."""
        listening, self._listening = self._listening, None
        if listening is None:
            return
        self._keep_awake.release()
        self.recorder.interrupt(self.tr("Listening was stopped."))
        self._tell(listening.stop())
        self._ended = listening
        self._set_state(MonitorState(Activity.STOPPED))

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
        self._tell_what_was_kept()

    def snooze(self, minutes: int | None = None) -> None:
        """Wake nobody for so long (None: as the settings say)."""
        if self._listening is not None:
            self._listening.snooze(self.settings[SNOOZE_MINUTES] if minutes is None else minutes)
            self._set_state(self._listening.state)

    def end_snooze(self) -> None:
        if self._listening is not None:
            self._listening.end_snooze()
            self._set_state(self._listening.state)

    def acknowledge(self) -> None:
        """Silence the alarm that sounds now."""
        if self._card is not None:
            self._alarm.stop()
        if self._listening is not None:
            self._listening.acknowledge()
            self._set_state(self._listening.state)

    def test_alarm(self) -> None:
        """Sound the alarm for a few seconds, the whole real way."""
        self._sound_card()
        self._complain(self._alarm.test())

    def microphones(self) -> list[str]:
        """Names of the microphones seen now, for the picker."""
        card = self._sound_card()
        if self._listening is None:
            card.refresh()
        return card.microphones()

    def play(self, path: Path) -> None:
        """Play a clip through the speakers; playing another, or `stop_playing`, ends it."""
        try:
            wave = read_wave(path, _PLAYBACK_RATE)
        except AudioError as error:
            self._complain(f"The clip cannot be played: {error}")
            return
        self._play(str(path), wave, _PLAYBACK_RATE)

    def play_wave(self, wave: Wave, loop: bool = False, start_seconds: float = 0.0) -> None:
        """Play (samples,) at the ring's rate through the speakers from `start_seconds` on, once or over and over.

        As with `play`, what played before ends, and `stop_playing` ends it. An alarm sounds all the same.
        """
        self._play(self.WAVE, wave, self.ring.sample_rate, loop, start_seconds)

    def _play(self, name: str, wave: Wave, rate: int, loop: bool = False, start_seconds: float = 0.0) -> None:
        self._sound_card()
        try:
            self._player.play(wave, rate, loop_seconds=math.inf if loop else None, start_seconds=start_seconds)
        except SoundCardError as error:
            self.stop_playing()
            self._complain(f"The clip cannot be played: {error}")
            return
        self._playing = name
        self._tick_timer.start()
        self.playback_changed.emit(self._playing)

    def playback_position(self) -> float | None:
        """Where in the wave the sound is that comes out of the speakers now, in seconds; None while nothing plays."""
        return self._player.position_seconds if self._playing else None

    def stop_playing(self) -> None:
        if self._card is not None:
            self._player.stop()
        if self._playing:
            self._playing = ""
            self.playback_changed.emit("")

    def ask_guess(self, key: str, wave: Wave) -> None:
        """What the model in use makes of (samples,) at the ring's rate: told by `guessed` with the same key.

        It is worked out between the monitor's own windows. Asked again with the same key, only the new wave is judged.
        """
        self._guess_requested.emit(key, wave)

    # What happens

    @Slot()
    def _on_tick(self) -> None:
        if self._playing and not self._player.playing:
            self.stop_playing()
        listening = self._listening
        if listening is not None:
            listening.is_playing = bool(self._playing)
            listening.is_recording = self.recorder.is_recording
            self._tell(listening.tick())
            if self._listening is not listening:
                return  # whoever was told has ended it
            self._set_state(listening.state)
            if listening.health in _WITHOUT_SOUND:
                self.recorder.interrupt(listening.detail)
        else:
            self._tell_what_was_kept()
            if not self._playing and self._clips.idle:
                self._tick_timer.stop()

    @Slot()
    def _on_awake_due(self) -> None:
        """Some systems refuse to be kept awake; that is to be known before the night."""
        if self._listening is not None and not self._keep_awake.is_held:
            self.complained.emit(
                self.tr("The computer may fall asleep by itself and hear nothing: switch that off in its settings.")
            )

    @Slot(object)
    def _on_scored(self, score: Score) -> None:
        listening = self._listening
        if listening is None:
            return
        self._tell(listening.take(score))
        self.scored.emit(score)
        if self._listening is not listening:
            return  # whoever was told has ended it
        self._set_state(listening.state)

    @Slot(object, str)
    def _on_model_opened(self, card: ModelCard, path: str) -> None:
        self._model_error = ""
        self.card, self.labels, self.model_name, self.model_path = card, card.labels, card.name, Path(path)
        self._use_rules()

    @Slot(str, str)
    def _on_model_converted(self, path: str, made: str) -> None:
        if path == self.settings[MODEL]:
            self._model_requested.emit(made)

    @Slot(str)
    def _on_model_found(self, path: str) -> None:
        self.complained.emit(
            self.tr("The model {name} from the models folder is ready and is used from now on.").format(
                name=Path(path).name
            )
        )
        try:
            self.settings[MODEL] = path
        except OSError as error:
            self.complained.emit(self.tr("The settings could not be saved: {error}.").format(error=error.strerror))

    @Slot(object)
    def _on_detector_failed(self, sentence: str) -> None:
        self._model_error = sentence
        if self._listening is not None:
            self._listening.model_failed(sentence)

    def _on_setting_changed(self, name: str) -> None:
        if name == MICROPHONE.name and self._listening is not None:
            self.stop()
            self.start()
        elif name == MODEL.name:
            self._use_model(self.settings[MODEL])
        else:
            self._use_rules()

    def _listen(self) -> str:
        """Listen, where that is not so already; why nothing can be heard, empty where there is sound."""
        self.start()
        if self._listening is None or self._listening.health in _WITHOUT_SOUND:
            return self.state.detail or self.tr("the monitor is not listening.")
        return ""

    def _use_model(self, path: str) -> None:
        """Ask this model from now on; a `.pt` when it is converted, and the one in use goes on until then."""
        if torch_conversion.is_torch(path):
            self._begin_conversions()
            self._conversion_requested.emit(path)
        else:
            self._model_requested.emit(path)

    def _use_rules(self) -> None:
        self.start_threshold = AlertRules.from_settings(self.settings, self._thresholds()).start_threshold
        if self._listening is not None:
            self._listening.use_rules(self._thresholds())
        self.model_changed.emit()

    def _thresholds(self) -> dict[str, float] | None:
        return None if self.card is None else self.card.thresholds

    def _tell(self, happenings: list[Happening]) -> None:
        for happening in happenings:
            if isinstance(happening, Complaint):
                self.complained.emit(happening.sentence)
            elif isinstance(happening, ClipSaved | NearMissSaved):
                self.alerts_changed.emit()
            elif isinstance(happening, AlertHappened):
                self.alerts_changed.emit()
                if happening.event.change is not Change.ENDED and happening.event.alarms:
                    self.alert_raised.emit(self._row(happening))

    def _row(self, happening: AlertHappened) -> AlertRow:
        with contextlib.suppress(HistoryError):
            row = self.history.alert(happening.row) if happening.row is not None else None
            if row is not None:
                return row
        return _row_of(happening.event.alert, time.time() - self.ring.written / self.ring.sample_rate)

    def _tell_what_was_kept(self) -> None:
        """Clips that were still being written when listening stopped."""
        if self._ended is not None:
            self._tell(self._ended.kept())

    def _sound_card(self) -> SoundCard:
        """PortAudio, from when it is first needed: looking at every device takes time that the window need not wait."""
        if self._card is None:
            self._card = SoundCard()
            self._alarm = Alarm(self._card, self.settings)
            self._player = Speaker(self._card)
            self.microphones_changed.emit()
        return self._card

    def _complain(self, sentence: str) -> None:
        if sentence:
            self.complained.emit(sentence)

    def _set_state(self, state: MonitorState) -> None:
        if state != self.state:
            self.state = state
            self.state_changed.emit(state)


def _row_of(alert: Alert, zero: float) -> AlertRow:
    """An alert as a row, where the history could not keep it. zero: Unix seconds at which the sound began."""
    return AlertRow(
        -1,
        alert.kind,
        zero + alert.began_seconds,
        zero + alert.raised_seconds,
        None if alert.ended_seconds is None else zero + alert.ended_seconds,
        alert.peak_db,
        alert.peak_crying,
        alert.reasons,
    )
