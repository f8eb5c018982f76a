"""The picker of the microphone: chosen by name, filled anew each time it is opened."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QComboBox, QSizePolicy, QWidget

from babymonitor.core.settings import MICROPHONE, Settings
from babymonitor.live.monitor import Monitor
from babymonitor.ui.parts.choice_view import ChoiceView


class MicrophoneView(ChoiceView):
    """Shows what is listened to and, opened, what could be. A choice goes into the settings; the Monitor follows it."""

    def __init__(self, monitor: Monitor, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._settings = settings
        self._source = ""
        self.setAccessibleName(self.tr("Microphone"))
        self.setToolTip(self.tr("Choose the microphone to listen to"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self._fill([settings[MICROPHONE]])
        self.activated.connect(self._on_activated)

    def set_source(self, source: str) -> None:
        """What is really listened to now (it may be the demo, or what the system chose)."""
        if source != self._source:
            self._source = source
            self.update()

    def refresh(self) -> None:
        """Show the choice that is in the settings."""
        if self.currentData() != self._settings[MICROPHONE]:
            self._fill([self._settings[MICROPHONE]])

    def showPopup(self) -> None:
        self._fill(self._monitor.microphones())
        super().showPopup()

    def _fill(self, names: list[str]) -> None:
        chosen = self._settings[MICROPHONE]
        seen = [name for name in dict.fromkeys(names) if name]
        self.clear()
        self.addItem(self.tr("Chosen by the system"), "")
        for name in seen:
            self.addItem(name, name)
        if chosen and chosen not in seen:
            self.addItem(self.tr("{name} (not found)").format(name=chosen), chosen)
        self.setCurrentIndex(self.findData(chosen))

    @Slot(int)
    def _on_activated(self, index: int) -> None:
        self._settings[MICROPHONE] = str(self.itemData(index))

    def shown_text(self) -> str:
        """The words on the closed picker."""
        return self._source or str(self.currentData() or "") or self.tr("Chosen by the system")
