"""The numbers people want in the morning, large, side by side: of one night, or of a usual one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from babymonitor.core.history.night import NightReport
from babymonitor.ui.parts.card import Card
from babymonitor.ui.parts.text_label import text_label
from babymonitor.ui.parts.wording import minutes_text


class NumbersView(QWidget):
    """A tile for each number; a number that means nothing for many nights is left out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.numbers: dict[str, QLabel] = {}
        self._tiles: dict[str, QWidget] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        for name, title, tip in (
            ("wake_ups", self.tr("wake-ups"), self.tr("Crying again within ten minutes is the same wake-up.")),
            ("crying", self.tr("crying"), self.tr("All alerts for crying together.")),
            ("quiet", self.tr("longest quiet stretch"), self.tr("Listening all the while, and nothing woke you.")),
            ("deaf", self.tr("not listening"), self.tr("Between the first and the last minute of this night.")),
        ):
            row.addWidget(self._tile(name, title, tip), 1)

    def _tile(self, name: str, title: str, tip: str) -> QWidget:
        number = text_label("–", "number", self)
        number.setAccessibleDescription(title)
        caption = text_label(title, "muted", self)
        tile = Card(self)
        tile.setToolTip(tip)
        column = QVBoxLayout(tile)
        column.setContentsMargins(14, 8, 10, 10)
        column.setSpacing(0)
        column.addWidget(number)
        column.addWidget(caption)
        self.numbers[name] = number
        self._tiles[name] = tile
        return tile

    def show_night(self, report: NightReport) -> None:
        """Show the numbers of one night."""
        self._show(
            wake_ups=str(report.wake_ups),
            crying=minutes_text(report.crying_seconds / 60),
            quiet=minutes_text(report.longest_quiet_seconds / 60),
            deaf=minutes_text(report.deaf_seconds / 60),
        )

    def show_usual(self, reports: Sequence[NightReport]) -> None:
        """Show the mean of many nights."""
        count = max(1, len(reports))
        wake_ups = sum(report.wake_ups for report in reports) / count
        crying = sum(report.crying_seconds for report in reports) / count
        words = self.tr("{n} a night")
        self._show(wake_ups=words.format(n=f"{wake_ups:.1f}"), crying=words.format(n=minutes_text(crying / 60)))

    def _show(self, **texts: str) -> None:
        for name, number in self.numbers.items():
            number.setText(texts.get(name, "–"))
            self._tiles[name].setVisible(name in texts)
