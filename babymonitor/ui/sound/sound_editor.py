"""An editor for one sound: a picture of it, buttons to play and zoom, and a selection."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QHideEvent, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QScrollBar, QVBoxLayout, QWidget

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from babymonitor.live.monitor import Monitor
from babymonitor.ui.parts.symbol_button import SymbolButton
from babymonitor.ui.parts.text_label import text_label
from babymonitor.ui.sound.sound_picture import SoundPicture

_FRAME_MS = 33
_SCROLL_STEPS = 10_000
_SYMBOL_EM = 1.15
_ZOOM = 0.6
_LEAST_SECONDS = 0.02
_STEP = 0.02
"""An arrow key moves the selection by this share of what is shown."""


class SoundEditor(QWidget):
    """Shows one sound, plays, loops and zooms. Further buttons can go beside its own (`add_button`)."""

    region_changed = Signal()
    """The selection changed: see `region`."""

    def __init__(self, monitor: Monitor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._wave: Wave = np.zeros(0, np.float32)
        self._name = ""
        self._is_playing = self._is_starting = False
        self._played = (0.0, 0.0)
        self._start_seconds: float | None = None
        self.picture = SoundPicture(self)
        self._build_buttons()
        self._lay_out()
        self._frame_timer = QTimer(self)
        self._frame_timer.setInterval(_FRAME_MS)
        self._frame_timer.timeout.connect(self._on_frame_due)
        self._connect()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Sound"))
        self.clear()

    def _build_buttons(self) -> None:
        self.play_button = self._button(self.tr("Play"), "play", "")
        self.loop_button = self._button("", "loop", self.tr("Play the selection over and over (O)"))
        self.loop_button.setCheckable(True)
        self.loop_button.setAccessibleName(self.tr("Loop"))
        self.zoom_out_button = self._button("", "minus", self.tr("Show more (−, or the wheel)"))
        self.zoom_out_button.setAccessibleName(self.tr("Zoom out"))
        self.zoom_in_button = self._button("", "plus", self.tr("Look closer (+, or the wheel)"))
        self.zoom_in_button.setAccessibleName(self.tr("Zoom in"))
        self.fit_button = self._button("", "fit", self.tr("Show and select everything (0, or a double click)"))
        self.fit_button.setAccessibleName(self.tr("Show everything"))
        self.region_label = text_label("", "muted", self)
        self.scroll_bar = QScrollBar(Qt.Orientation.Horizontal, self)
        self.scroll_bar.setAccessibleName(self.tr("Part that is shown"))

    def _button(self, text: str, symbol: str, tip: str) -> SymbolButton:
        button = SymbolButton(text, symbol, self, "small" if text else "tool", _SYMBOL_EM)
        button.setToolTip(tip)
        # A click must not take the focus: Space plays, wherever the focus is.
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _lay_out(self) -> None:
        self._button_row = QHBoxLayout()
        self._button_row.setSpacing(6)
        self._button_row.addWidget(self.play_button)
        self._button_row.addWidget(self.loop_button)
        self._button_row.addSpacing(8)
        self._button_row.addWidget(self.region_label)
        self._button_row.addStretch(1)
        for button in (self.zoom_out_button, self.zoom_in_button, self.fit_button):
            self._button_row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(self._button_row)
        column.addWidget(self.picture, 1)
        column.addWidget(self.scroll_bar)
        self.picture.setMinimumSize(200, 90)

    def _connect(self) -> None:
        self.play_button.clicked.connect(self.toggle_playing)
        self.loop_button.toggled.connect(self._on_loop_toggled)
        self.zoom_in_button.clicked.connect(self.zoom_in)
        self.zoom_out_button.clicked.connect(self.zoom_out)
        self.fit_button.clicked.connect(self.fit)
        self.scroll_bar.valueChanged.connect(self._on_scrolled)
        self.picture.region_changed.connect(self._on_region_changed)
        self.picture.view_changed.connect(self._on_view_changed)
        self.picture.pointed.connect(self._on_pointed)
        self._monitor.playback_changed.connect(self._on_playback_changed)

    def add_button(self, text: str, symbol: str, tip: str) -> QPushButton:
        """Put another button after those for playing, and return it."""
        button = self._button(text, symbol, tip)
        # Before the space that separates the buttons from the words on the selection.
        self._button_row.insertWidget(self._button_row.indexOf(self.region_label) - 1, button)
        return button

    def show_wave(self, wave: Wave, name: str = "") -> None:
        """Show a sound, (samples,) at 16 kHz, and select all of it. name: for screen readers. Stops what is played."""
        self.stop()
        self._wave, self._name = wave, name
        self.picture.set_wave(wave)
        for widget in (self.play_button, self.loop_button, self.zoom_in_button, self.fit_button):
            widget.setEnabled(wave.size > 0)
        self._start_seconds = None
        self._on_region_changed()

    def clear(self) -> None:
        """Show no sound."""
        self.show_wave(np.zeros(0, np.float32))

    @property
    def wave(self) -> Wave:
        """The sound that is shown, (samples,) at 16 kHz."""
        return self._wave

    @property
    def seconds(self) -> float:
        """The sound's length."""
        return self._wave.size / SAMPLE_RATE

    def region(self) -> tuple[float, float]:
        """Return the first and last second of the selection, or of the sound if nothing is selected."""
        return self.picture.region()

    def set_region(self, start: float, end: float) -> None:
        """Select these seconds."""
        self.picture.set_region(start, end)

    @property
    def has_selection(self) -> bool:
        """Whether a part of the sound is selected, rather than all of it."""
        return self._wave.size > 0 and not self.picture.is_whole

    def accessible_text(self) -> str:
        """Return the picture in words."""
        if not self._wave.size:
            return self.tr("No sound is open.")
        words = self.tr("{name}, {seconds} s").format(name=self._name, seconds=f"{self.seconds:.1f}")
        return f"{words}, {self.region_label.text()}"

    @property
    def is_playing(self) -> bool:
        """Whether the sound is played now."""
        return self._is_playing

    @Slot()
    def toggle_playing(self) -> None:
        """Play the selection, or stop it."""
        if self._is_playing:
            self.stop()
        else:
            self.play()

    @Slot()
    def play(self) -> None:
        """Play the selection, from where the person clicked if that is inside it."""
        if not self._wave.size:
            return
        start, end = self.region()
        first = start
        if self._start_seconds is not None and start < self._start_seconds < end - _LEAST_SECONDS:
            first = self._start_seconds
        self._start_seconds = None
        self._play(start, end, first)

    def _play(self, start: float, end: float, position: float) -> None:
        """Play these seconds, the first time from `position` on."""
        first, last = int(start * SAMPLE_RATE), round(end * SAMPLE_RATE)
        self._is_starting = True
        self._monitor.play_wave(self._wave[first:last], self.loop_button.isChecked(), position - start)
        self._is_starting = False
        self._played = (start, end)
        # Without a loudspeaker nothing is played, and the monitor has already complained.
        self._is_playing = self._monitor.playback_position() is not None
        if self._is_playing:
            self._frame_timer.start()
        self._show_play_button()

    @Slot()
    def stop(self) -> None:
        """Stop what is played here."""
        if self._is_playing:
            self._is_playing = False
            self._monitor.stop_playing()
        self._show_silence()

    def _show_silence(self) -> None:
        self._frame_timer.stop()
        self.picture.set_playhead(self._start_seconds)
        self._show_play_button()

    def _show_play_button(self) -> None:
        word = self.tr("Stop") if self._is_playing else self.tr("Play")
        if self.play_button.text() == word and self.play_button.toolTip():
            return
        self.play_button.setText(word)
        tip = self.tr("End it (Space)") if self._is_playing else self.tr("Hear the selection (Space)")
        self.play_button.setToolTip(tip)
        self.play_button.set_symbol("stop" if self._is_playing else "play")

    @Slot()
    def _on_frame_due(self) -> None:
        position = self._monitor.playback_position()
        if position is None or not self._is_playing:
            return
        self.picture.set_playhead(min(self._played[0] + position, self._played[1]))

    @Slot(str)
    def _on_playback_changed(self, _playing: str) -> None:
        """Notice that the sound ended, or that something else is played."""
        if self._is_playing and not self._is_starting:
            self._is_playing = False
            self._show_silence()

    @Slot(bool)
    def _on_loop_toggled(self, is_on: bool) -> None:
        position = self._monitor.playback_position() if self._is_playing else None
        if position is not None:
            start, end = self._played
            self._play(start, end, min(start + position, end))

    @Slot(float)
    def _on_pointed(self, seconds: float) -> None:
        """Start from where the person clicked; a sound that is played goes on from there."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        start, end = self.region()
        if not self._wave.size:
            return
        if not start <= seconds < end:
            self.picture.select_all()
            start, end = self.region()
        if self._is_playing:
            self._play(start, end, min(max(seconds, start), end - _LEAST_SECONDS))
        else:
            self._start_seconds = seconds
            self.picture.set_playhead(seconds)

    @Slot()
    def zoom_in(self) -> None:
        """Show fewer seconds."""
        self.picture.zoom(_ZOOM, self._middle())

    @Slot()
    def zoom_out(self) -> None:
        """Show more seconds."""
        self.picture.zoom(1 / _ZOOM, self._middle())

    @Slot()
    def fit(self) -> None:
        """Show everything and select everything."""
        self.picture.fit()
        self.picture.select_all()

    @Slot()
    def toggle_loop(self) -> None:
        """Play over and over, or once."""
        self.loop_button.toggle()

    def _middle(self) -> float | None:
        """Return the second around which to zoom: the middle of the selection; None if there is none."""
        return sum(self.region()) / 2 if self.has_selection else None

    @Slot()
    def _on_region_changed(self) -> None:
        start, end = self.region()
        if not self._wave.size:
            text = ""
        elif self.has_selection:
            words = self.tr("{start}–{end} · {length} s")
            text = words.format(start=f"{start:.1f}", end=f"{end:.1f}", length=f"{end - start:.1f}")
        else:
            text = self.tr("{length} s").format(length=f"{self.seconds:.1f}")
        self.region_label.setText(text)
        self.setAccessibleDescription(self.accessible_text())
        self.region_changed.emit()

    @Slot()
    def _on_view_changed(self) -> None:
        start, end = self.picture.view()
        length = max(self.seconds, 1e-3)
        share = min(1.0, (end - start) / length)
        self.scroll_bar.blockSignals(True)
        self.scroll_bar.setPageStep(round(share * _SCROLL_STEPS))
        self.scroll_bar.setRange(0, _SCROLL_STEPS - round(share * _SCROLL_STEPS))
        self.scroll_bar.setValue(round(start / length * _SCROLL_STEPS))
        self.scroll_bar.blockSignals(False)
        is_part = share < 0.999
        # A hidden scroll bar keeps its place, so that the picture does not jump while zooming.
        policy = self.scroll_bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.scroll_bar.setSizePolicy(policy)
        self.scroll_bar.setVisible(is_part)
        self.zoom_out_button.setEnabled(is_part)

    @Slot(int)
    def _on_scrolled(self, value: int) -> None:
        start, end = self.picture.view()
        first = value / _SCROLL_STEPS * self.seconds
        self.picture.set_view(first, first + end - start)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the selection with Left and Right, its end with Shift, its beginning with Ctrl."""
        direction = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()), 0)
        if not direction or not self._wave.size:
            super().keyPressEvent(event)
            return
        first, last = self.picture.view()
        step = direction * _STEP * (last - first)
        start, end = self.region()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            end = max(start, end + step)
        elif event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            start = min(end, start + step)
        elif self.has_selection:
            step = min(max(step, -start), self.seconds - end)
            start, end = start + step, end + step
        else:
            middle, half = (first + last) / 2, (last - first) / 8
            start, end = middle - half, middle + half
        self.set_region(start, end)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.stop()
