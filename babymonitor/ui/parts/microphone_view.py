"""The picker for the microphone, by name; it is filled again each time it is opened."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QComboBox, QSizePolicy, QWidget

from babymonitor.core.settings import MICROPHONE, Settings
from babymonitor.live.monitor import Monitor
from babymonitor.ui.parts.choice_view import ChoiceView
from babymonitor.ui.parts.save_setting import save_setting


class MicrophoneView(ChoiceView):
    """Shows the source in use and, when opened, all microphones. A choice goes into the settings.

    The Monitor follows the settings by itself.
    """

    complained = Signal(object)
    """The choice could not be saved, in a sentence."""

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
        """Show what is really listened to; it may be the demo, or what the system chose."""
        if source != self._source:
            self._source = source
            self.update()

    def refresh(self) -> None:
        """Show the choice that the settings hold."""
        if self.currentData() != self._settings[MICROPHONE]:
            self._fill([self._settings[MICROPHONE]])

    def showPopup(self) -> None:
        self._fill(self._monitor.microphones())
        super().showPopup()

    def _fill(self, names: list[str]) -> None:
        chosen = self._settings[MICROPHONE]
        listed = [name for name in dict.fromkeys(names) if name]
        self.clear()
        self.addItem(self.tr("Chosen by the system"), "")
        for name in listed:
            self.addItem(name, name)
        if chosen and chosen not in listed:
            self.addItem(self.tr("{name} (not found)").format(name=chosen), chosen)
        self.setCurrentIndex(self.findData(chosen))

    @Slot(int)
    def _on_activated(self, index: int) -> None:
        save_setting(self._settings, MICROPHONE, str(self.itemData(index)), self.complained.emit)

    def shown_text(self) -> str:
        return self._source or str(self.currentData() or "") or self.tr("Chosen by the system")
