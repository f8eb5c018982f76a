"""One button and one key a label: those of the vocabulary, those of one's own, and one to make another."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFocusEvent, QPainter, QPainterPath, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QGridLayout, QInputDialog, QSizePolicy, QWidget

from babymonitor.core.labels import LABELS, label
from babymonitor.core.library.clip import label_of_folder
from babymonitor.ui.parts.theme import LIGHT, Theme
from babymonitor.ui.parts.wording import label_title, short_label_title

MOST_KEYS = 9
_ROOMY_EM, _SMALL_EM = 9.2, 8.2
"""A button is not to be narrower than this, small or not."""


class LabelButton(QAbstractButton):
    """A label as a button: its key, its sign, its name; the one a clip has is filled."""

    def __init__(self, name: str, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = name
        self._key = key
        self._theme = LIGHT
        self._is_small = False
        self.setText(label_title(name) if name else self.tr("Other…"))
        self._short = short_label_title(name) if name else self.text()
        tip = self.tr("{label} ({key})") if key else "{label}"
        shown = self.text() if name else self.tr("A label of your own")
        self.setToolTip(tip.format(label=shown, key=key))
        self.setAccessibleName(self.text())
        self.setCheckable(bool(name))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def set_theme(self, theme: Theme, is_small: bool = False) -> None:
        self._theme, self._is_small = theme, is_small
        self.updateGeometry()
        self.update()

    def nextCheckState(self) -> None:
        """Which one is checked follows the clip, not the mouse."""

    def sizeHint(self) -> QSize:
        px = self._theme.text_px
        return QSize(px * 8, round(px * (2.2 if self._is_small else 2.75)))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.text_px * 5, self.sizeHint().height())

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        c, px = self._theme.colours, self._theme.text_px
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        ground, ink, edge = c.surface, c.text, c.line
        if self.isChecked():
            ground, ink, edge = c.accent, c.on_accent, c.accent
        elif not self.isEnabled():
            ink = c.muted
        elif self.isDown():
            ground = c.sunken
        elif self.underMouse():
            ground = c.hover
        painter.setBrush(QColor(ground))
        painter.setPen(QPen(QColor(c.accent if self.hasFocus() else edge), 2 if self.hasFocus() else 1))
        painter.drawRoundedRect(box, 9, 9)
        left = box.left() + px * 0.55
        font = self.font()
        if self._key:
            font.setPixelSize(px - 3)
            painter.setFont(font)
            key = QRectF(left, box.center().y() - px * 0.68, px * 1.3, px * 1.36)
            path = QPainterPath()
            path.addRoundedRect(key, 4, 4)
            painter.fillPath(path, QColor(c.accent if self.isChecked() else c.sunken))
            painter.setPen(QColor(c.on_accent if self.isChecked() else c.muted))
            painter.drawText(key, Qt.AlignmentFlag.AlignCenter, self._key)
            left = key.right() + px * 0.4
        sign = label(self.name).icon if self.name else "+"
        colour = self._theme.label_colour(self.name) if self.name and self.isEnabled() else ink
        font.setPixelSize(px)
        painter.setFont(font)
        painter.setPen(QColor(ink if self.isChecked() else colour))
        place = QRectF(left, box.top(), px * 1.15, box.height())
        painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, sign)
        words = QRectF(
            place.right() + px * 0.15, box.top() + 2, box.right() - place.right() - px * 0.4, box.height() - 4
        )
        painter.setPen(QColor(ink))
        self._paint_words(painter, words)
        painter.end()

    def _paint_words(self, painter: QPainter, box: QRectF) -> None:
        """In one line; where that is too narrow, smaller; and in two lines only as a last resort."""
        font, px = self.font(), self._theme.text_px
        font.setBold(self.isChecked())
        side = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        for text, size in ((self.text(), px), (self._short, px), (self._short, px - 2)):
            font.setPixelSize(max(10, size))
            painter.setFont(font)
            if painter.fontMetrics().horizontalAdvance(text) <= box.width():
                painter.drawText(box, side, text)
                return
        if " " in self._short:
            font.setPixelSize(max(10, px - (4 if self._is_small else 2)))
            painter.setFont(font)
            painter.drawText(box, side | Qt.TextFlag.TextWordWrap, self._short)
        else:
            elided = painter.fontMetrics().elidedText(self._short, Qt.TextElideMode.ElideRight, int(box.width()))
            painter.drawText(box, side, elided)


class LabelButtons(QWidget):
    """The labels to choose from, in one row where there is room, else in two."""

    label_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None, is_small: bool = False) -> None:
        super().__init__(parent)
        self._theme = LIGHT
        self._is_small = is_small
        self._columns = 0
        self._checked: str | None = None
        self.buttons: dict[str, LabelButton] = {}
        """By label; "" is the one that makes another."""
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(6)
        self.set_labels(tuple(LABELS))

    def set_labels(self, names: Sequence[str]) -> None:
        """Other labels; the first nine have the keys 1 to 9."""
        wanted = [*names, ""]
        if wanted == list(self.buttons):
            return
        for button in self.buttons.values():
            self._grid.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = {}
        for number, name in enumerate(wanted, 1):
            key = "M" if not name else str(number) if number <= MOST_KEYS else ""
            button = LabelButton(name, key, self)
            button.set_theme(self._theme, self._is_small)
            button.clicked.connect(self._on_clicked)
            self.buttons[name] = button
        self._columns = 0
        self._place()
        self.check(self._checked)
        for button in self.buttons.values():
            button.show()

    @property
    def names(self) -> list[str]:
        """The labels, in the order of their keys."""
        return [name for name in self.buttons if name]

    def name_of_key(self, number: int) -> str | None:
        """The label that the key 1 to 9 stands for."""
        return self.names[number - 1] if 1 <= number <= min(MOST_KEYS, len(self.names)) else None

    def check(self, name: str | None) -> None:
        """Mark the label that the clip has; None or "" for none."""
        self._checked = name
        for other, button in self.buttons.items():
            button.setChecked(bool(name) and other == name)

    def ask_for_label(self) -> None:
        """Let the person name a label of their own, and choose it; told as a label may be called, where it can."""
        text, is_given = QInputDialog.getText(
            self, self.tr("A label of your own"), self.tr("Its name, such as “hiccups” or “door”:")
        )
        # "Tür" and "next door's dog" become what a folder may be called; what nothing is left of is refused by others.
        name = label_of_folder(re.sub("['’]", "", text)) or text.strip()
        if is_given and name:
            self.label_chosen.emit(name)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for button in self.buttons.values():
            button.set_theme(theme, self._is_small)
        self._columns = 0
        self._place()

    def _place(self) -> None:
        count = len(self.buttons)
        room = max(1, self.width()) / ((_SMALL_EM if self._is_small else _ROOMY_EM) * self._theme.text_px)
        rows = -(-count // max(3, int(room)))
        columns = -(-count // rows)
        if columns == self._columns:
            return
        self._columns = columns
        for at, button in enumerate(self.buttons.values()):
            self._grid.addWidget(button, at // columns, at % columns)
        for column in range(self._grid.columnCount()):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    @Slot()
    def _on_clicked(self) -> None:
        button = self.sender()
        if isinstance(button, LabelButton):
            if button.name:
                self.label_chosen.emit(button.name)
            else:
                self.ask_for_label()
