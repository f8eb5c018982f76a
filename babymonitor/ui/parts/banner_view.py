"""The banner over every other page while someone is needed: crying, an alarm, or a monitor that does not listen."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPushButton, QWidget

from babymonitor.core.state import MonitorState
from babymonitor.ui.parts.state_view import StateView
from babymonitor.ui.parts.theme import Tone
from babymonitor.ui.parts.wording import StateWords


class BannerView(StateView):
    """The state line of the Monitor page, with the two answers to an alarm."""

    acknowledge_requested = Signal()
    snooze_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.acknowledge_button = QPushButton(self.tr("Acknowledge"), self)
        self.acknowledge_button.setProperty("role", "main")
        self.acknowledge_button.setToolTip(self.tr("Silence the alarm that sounds now (A or Esc)"))
        self.snooze_button = QPushButton(self)
        self.snooze_button.setToolTip(self.tr("No alarm for a while; it goes on listening (S)"))
        self.add_button(self.snooze_button, "snooze")
        self.add_button(self.acknowledge_button, "check")
        self.acknowledge_button.clicked.connect(self.acknowledge_requested)
        self.snooze_button.clicked.connect(self.snooze_requested)
        self.hide()

    def show_state(self, state: MonitorState, words: StateWords) -> None:
        """Show the banner, in words that call for somebody."""
        if words.tone not in (Tone.CRY, Tone.FAULT):
            # An alarm without crying is a test.
            words = replace(words, headline=self.tr("The alarm sounds"), tone=Tone.CRY, symbol="crying")
        self.set_words(words)
        self.snooze_button.setText(self.tr("Snooze") if state.snoozed_until is None else self.tr("End snooze"))
        self.acknowledge_button.setVisible(state.alarm_sounding)
        self.show()
