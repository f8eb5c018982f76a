"""Sensitivity as one slider that says what it means: its stops are those of the model's own operating curve."""

from __future__ import annotations

import math

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPalette, QWheelEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QStyle,
    QStyleOptionSlider,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core.alerts.policy import AlertRules
from babymonitor.core.alerts.sensitivity import Rung, nearest, rungs
from babymonitor.core.settings import LOUD_ALERTS, MINIMUM_SECONDS, START_THRESHOLD, USE_MODEL_THRESHOLDS, Settings
from babymonitor.live.monitor import Monitor
from babymonitor.ui.parts.wording import no_stop_text, sensitivity_text

_Key = Qt.Key
_KEYS = frozenset(
    {_Key.Key_Space, _Key.Key_Return, _Key.Key_Enter, _Key.Key_Select}
    | {_Key.Key_Left, _Key.Key_Right, _Key.Key_Up, _Key.Key_Down}
    | {_Key.Key_Home, _Key.Key_End, _Key.Key_PageUp, _Key.Key_PageDown}
)
"""Those that choose; one that moves the handle cannot move it beyond the last stop."""


class SensitivityView(QWidget):
    """A slider from "fewer alarms" to "fewer missed cries", and beneath it what its place was measured to give.

    It follows the settings and the model in use; what the person chooses is told by `rung_chosen`, to be stored.
    """

    rung_chosen = Signal(object)
    """core.sensitivity.Rung"""

    def __init__(self, monitor: Monitor, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._settings = settings
        self._rungs: list[Rung] = []
        self._is_choosing = False
        self.slider = _Stops(self)
        self.sentence_label = QLabel(self)
        self.sentence_label.setWordWrap(True)
        self.note_label = QLabel(self)
        self.note_label.setWordWrap(True)
        self.note_label.setProperty("role", "muted")
        self.recommended_button = QPushButton(self.tr("As the model recommends"), self)
        self.recommended_button.setProperty("role", "small")
        self.recommended_button.setAutoDefault(False)
        self._lay_out()
        self.slider.valueChanged.connect(self._on_moved)
        self.slider.left_in_place.connect(self._on_left_in_place)
        self.recommended_button.clicked.connect(self._on_recommended_clicked)
        monitor.model_changed.connect(self.refresh)
        self.refresh()

    def _lay_out(self) -> None:
        ends = QHBoxLayout()
        for text in (self.tr("fewer alarms"), self.tr("fewer missed cries")):
            label = QLabel(text)
            label.setProperty("role", "muted")
            ends.addWidget(label)
        ends.insertStretch(1)
        below = QHBoxLayout()
        below.setSpacing(20)
        below.addWidget(self.note_label, 1, Qt.AlignmentFlag.AlignTop)
        below.addWidget(self.recommended_button, 0, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.slider)
        column.addLayout(ends)
        column.addSpacing(6)
        column.addWidget(self.sentence_label)
        column.addLayout(below)

    @property
    def rung(self) -> Rung | None:
        """The stop at which the slider stands; None before a model is open."""
        return self._rungs[self.slider.value()] if self._rungs else None

    @Slot()
    def refresh(self) -> None:
        """Show the model and the settings as they are now, without saying that anything was chosen."""
        if self._is_choosing:
            return  # a choice is several settings, and this comes after each
        card = self._monitor.card
        self._rungs = [] if card is None else rungs(card)
        own = next((number for number, rung in enumerate(self._rungs) if rung.is_recommended), 0)
        at = own
        if self._rungs and not self._settings[USE_MODEL_THRESHOLDS]:
            at = nearest(self._rungs, self._settings[START_THRESHOLD])
        blocked = self.slider.blockSignals(True)
        self.slider.set_stops(len(self._rungs), own)
        self.slider.setValue(at)
        self.slider.blockSignals(blocked)
        self._describe()

    def _describe(self) -> None:
        rung = self.rung
        self.sentence_label.setText(self._sentence(rung))
        self.note_label.setText(" ".join(self._notes(rung)))
        self.note_label.setVisible(bool(self.note_label.text()))
        self.slider.setAccessibleDescription(f"{self.sentence_label.text()} {self.note_label.text()}".strip())
        self.recommended_button.setEnabled(rung is not None and not self._settings[USE_MODEL_THRESHOLDS])

    def _is_in_force(self, rung: Rung) -> bool:
        """Whether crying is counted by this stop; thresholds of another model or of `--set` may be no stop of this."""
        if self._settings[USE_MODEL_THRESHOLDS]:
            return rung.is_recommended
        rules = AlertRules.from_settings(self._settings)
        pairs = ((rung.start_threshold, rules.start_threshold), (rung.end_threshold, rules.end_threshold))
        return all(math.isclose(its, ours, abs_tol=1e-6) for its, ours in pairs)

    def _sentence(self, rung: Rung | None) -> str:
        if rung is None:
            return self.tr("The model is being opened…")
        if self._is_in_force(rung):
            return sensitivity_text(rung)
        rules = AlertRules.from_settings(self._settings)
        return no_stop_text(rules.start_threshold, rules.end_threshold)

    def _notes(self, rung: Rung | None) -> list[str]:
        """What else has to be known to take the sentence for no more than it is."""
        if rung is None:
            return []
        is_in_force = self._is_in_force(rung)
        notes = [self.tr("The model itself recommends this.")] if rung.is_recommended and is_in_force else []
        if rung.is_measured and is_in_force:
            notes.append(self.tr("Measured on nights put together from recordings; your home will differ."))
            if self._settings[MINIMUM_SECONDS] != MINIMUM_SECONDS.default:
                words = self.tr("Measured with “Wake me after” at {usual:g} s, not at your {own:g} s.")
                notes.append(words.format(usual=MINIMUM_SECONDS.default, own=self._settings[MINIMUM_SECONDS]))
        if self._settings[LOUD_ALERTS]:
            notes.append(self.tr("Alarms by any loud sound come on top."))
        return notes

    def _choose(self, rung: Rung) -> None:
        self._is_choosing = True
        try:
            self.rung_chosen.emit(rung)
        finally:
            self._is_choosing = False
        self.refresh()

    @Slot()
    def _on_moved(self) -> None:
        if self.rung is not None:
            self._choose(self.rung)

    @Slot()
    def _on_left_in_place(self) -> None:
        """The stop that is shown was meant, and it may be only the nearest to what is in force."""
        if self.rung is not None and not self._is_in_force(self.rung):
            self._choose(self.rung)

    @Slot()
    def _on_recommended_clicked(self) -> None:
        self._choose(next(rung for rung in self._rungs if rung.is_recommended))


class _Stops(QSlider):
    """Leaves the wheel to the page, shows its stops, and marks the one that the model recommends."""

    left_in_place = Signal()
    """The handle was let go, or a key was pressed, and the value is what it was: `valueChanged` says nothing."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._recommended = 0
        self.setPageStep(1)
        self.sliderReleased.connect(self.left_in_place)

    def set_stops(self, count: int, recommended: int) -> None:
        self._recommended = recommended
        self.setRange(0, max(0, count - 1))
        self.setEnabled(count > 1)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, 40)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 40)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        before = self.value()
        super().keyPressEvent(event)
        if event.key() in _KEYS and self.value() == before:
            event.accept()
            self.left_in_place.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().color(QPalette.ColorRole.WindowText))
        if self.isEnabled():
            for stop in range(self.minimum(), self.maximum() + 1):
                option.sliderPosition = option.sliderValue = stop
                handle = self.style().subControlRect(
                    QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, self
                )
                tall = 8 if stop == self._recommended else 3
                painter.drawRoundedRect(handle.center().x() - 1, self.height() - 10, 3, tall, 1, 1)
        painter.end()
        super().paintEvent(event)
