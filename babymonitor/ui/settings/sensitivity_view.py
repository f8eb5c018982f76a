"""The slider for the sensitivity, with a sentence on what it means. Its stops are those of the model's curve."""

from __future__ import annotations

import math

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPalette, QWheelEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QSlider,
    QStyle,
    QStyleOptionSlider,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core.alerts.policy import AlertRules
from babymonitor.core.alerts.sensitivity import Rung, nearest, rungs
from babymonitor.core.settings import LOUD_ALERTS, START_THRESHOLD, USE_MODEL_THRESHOLDS, Settings
from babymonitor.live.monitor import Monitor
from babymonitor.ui.parts.text_label import text_label, wrapped_label
from babymonitor.ui.parts.wording import no_stop_text, sensitivity_text

_Key = Qt.Key
_KEYS = frozenset(
    {_Key.Key_Space, _Key.Key_Return, _Key.Key_Enter, _Key.Key_Select}
    | {_Key.Key_Left, _Key.Key_Right, _Key.Key_Up, _Key.Key_Down}
    | {_Key.Key_Home, _Key.Key_End, _Key.Key_PageUp, _Key.Key_PageDown}
)
"""The keys that choose a stop; at the end of the slider a key chooses without moving the handle."""


class SensitivityView(QWidget):
    """A slider from "fewer alarms" to "fewer missed cries", above what its position was measured to give.

    It follows the settings and the model in use. The receiver of `rung_chosen` stores the choice.
    """

    rung_chosen = Signal(object)
    """The Rung that the person chose."""

    def __init__(self, monitor: Monitor, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._settings = settings
        self._rungs: list[Rung] = []
        self._is_choosing = False
        self.slider = _Stops(self)
        self.sentence_label = wrapped_label(parent=self)
        self.note_label = wrapped_label("", "muted", self)
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
            ends.addWidget(text_label(text, "muted"))
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
        """The stop at which the slider stands; None if no model is open."""
        return self._rungs[self.slider.value()] if self._rungs else None

    @Slot()
    def refresh(self) -> None:
        """Show the model and the settings as they are now, without announcing a choice."""
        if self._is_choosing:
            return  # a choice changes several settings, and this is called after each
        card = self._monitor.card
        self._rungs = [] if card is None else rungs(card)
        recommended = next((number for number, rung in enumerate(self._rungs) if rung.is_recommended), 0)
        stop = recommended
        if self._rungs and not self._settings[USE_MODEL_THRESHOLDS]:
            stop = nearest(self._rungs, self._settings[START_THRESHOLD])
        blocked = self.slider.blockSignals(True)
        self.slider.set_stops(len(self._rungs), recommended)
        self.slider.setValue(stop)
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
        """Return whether this stop's thresholds are in force; those of another model or of `--set` may be no stop."""
        if self._settings[USE_MODEL_THRESHOLDS]:
            return rung.is_recommended
        rules = AlertRules.from_settings(self._settings)
        pairs = ((rung.start_threshold, rules.start_threshold), (rung.end_threshold, rules.end_threshold))
        return all(math.isclose(of_stop, in_force, abs_tol=1e-6) for of_stop, in_force in pairs)

    def _sentence(self, rung: Rung | None) -> str:
        if rung is None:
            return self.tr("The model is being opened…")
        if self._is_in_force(rung):
            return sensitivity_text(rung)
        rules = AlertRules.from_settings(self._settings)
        return no_stop_text(rules.start_threshold, rules.end_threshold)

    def _notes(self, rung: Rung | None) -> list[str]:
        """Return what limits the sentence: where it was measured, and which settings it leaves out."""
        card = self._monitor.card
        if rung is None or card is None:
            return []
        is_in_force = self._is_in_force(rung)
        notes = [self.tr("The model itself recommends this.")] if rung.is_recommended and is_in_force else []
        if rung.is_measured and is_in_force:
            notes.append(self.tr("Measured on nights put together from recordings; your home will differ."))
            usual = AlertRules.of_card(card).minimum_seconds
            own = AlertRules.from_settings(self._settings, card.thresholds).minimum_seconds
            if own != usual:
                words = self.tr("Measured with “Wake me after” at {usual:g} s, not at your {own:g} s.")
                notes.append(words.format(usual=usual, own=own))
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
        """Choose the stop that is shown, which may be only the nearest to the thresholds in force."""
        if self.rung is not None and not self._is_in_force(self.rung):
            self._choose(self.rung)

    @Slot()
    def _on_recommended_clicked(self) -> None:
        self._choose(next(rung for rung in self._rungs if rung.is_recommended))


class _Stops(QSlider):
    """A slider that leaves the wheel to the page, draws its stops, and marks the recommended one."""

    left_in_place = Signal()
    """The person released the handle or pressed a key without changing the value, which Qt does not announce."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._recommended = 0
        self.setPageStep(1)
        self.sliderReleased.connect(self.left_in_place)

    def set_stops(self, count: int, recommended: int) -> None:
        """Have this many stops, and mark one of them."""
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
