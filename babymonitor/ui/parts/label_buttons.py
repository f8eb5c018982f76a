"""One button and one key for each label: the known labels, the person's own, and one button to make another."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QColor, QFocusEvent, QPainter, QPainterPath, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QGridLayout, QInputDialog, QSizePolicy, QWidget

from babymonitor.core.labels import LABELS, label
from babymonitor.core.library.clip import label_of_folder
from babymonitor.ui.parts.keys import KeyRow
from babymonitor.ui.parts.theme import current_theme, follow_theme
from babymonitor.ui.parts.wording import label_title, short_label_title

MOST_KEYS = 9
_ROOMY_EM, _SMALL_EM = 9.2, 8.2
"""The least width of a button, in sizes of the text: usual, and small."""


class LabelButton(QAbstractButton):
    """A label as a button: its key, its sign, its name. The label that a clip has is filled."""

    def __init__(self, name: str, key: str, parent: QWidget | None = None, is_small: bool = False) -> None:
        super().__init__(parent)
        self.name = name
        self._key = key
        self._is_small = is_small
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

    def nextCheckState(self) -> None:
        """Do nothing: which button is checked follows the clip, not the mouse."""

    def sizeHint(self) -> QSize:
        px = current_theme().text_px
        return QSize(px * 8, round(px * (2.2 if self._is_small else 2.75)))

    def minimumSizeHint(self) -> QSize:
        return QSize(current_theme().text_px * 5, self.sizeHint().height())

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = current_theme()
        c, px = theme.colours, theme.text_px
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
        colour = theme.label_colour(self.name) if self.name and self.isEnabled() else ink
        font.setPixelSize(px)
        painter.setFont(font)
        painter.setPen(QColor(ink if self.isChecked() else colour))
        sign_box = QRectF(left, box.top(), px * 1.15, box.height())
        painter.drawText(sign_box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, sign)
        words = QRectF(
            sign_box.right() + px * 0.15, box.top() + 2, box.right() - sign_box.right() - px * 0.4, box.height() - 4
        )
        painter.setPen(QColor(ink))
        self._paint_words(painter, words)
        painter.end()

    def _paint_words(self, painter: QPainter, box: QRectF) -> None:
        """Write the name on one line, smaller if need be; on two lines only as a last resort."""
        font, px = self.font(), current_theme().text_px
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
    """The labels to choose from, in one row if there is room, otherwise in two."""

    label_chosen = Signal(str)
    """The name of the label, chosen by mouse, by key or by typing a new one."""

    def __init__(self, parent: QWidget | None = None, is_small: bool = False) -> None:
        super().__init__(parent)
        self._is_small = is_small
        self._columns = 0
        self._checked: str | None = None
        self.buttons: dict[str, LabelButton] = {}
        """The buttons by label; the one named "" makes another label."""
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(6)
        self.set_labels(tuple(LABELS))
        follow_theme(self._place_anew)

    def set_labels(self, names: Sequence[str]) -> None:
        """Offer these labels; the first nine have the keys 1 to 9."""
        wanted_names = [*names, ""]
        if wanted_names == list(self.buttons):
            return
        for button in self.buttons.values():
            self._grid.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = {}
        for number, name in enumerate(wanted_names, 1):
            key = "M" if not name else str(number) if number <= MOST_KEYS else ""
            button = LabelButton(name, key, self, self._is_small)
            button.clicked.connect(self._on_clicked)
            self.buttons[name] = button
        self._place_anew()
        self.check(self._checked)
        for button in self.buttons.values():
            button.show()

    @property
    def names(self) -> list[str]:
        """The labels, in the order of their keys."""
        return [name for name in self.buttons if name]

    def keys(self, words: str) -> tuple[KeyRow, ...]:
        """Return rows for `add_keys`: M asks for a new label, and each digit chooses its label.

        words: what a digit does, such as "Label {n}".
        """
        ask = (self.tr("A label of your own"), ("M",), self._on_other_key)
        return ask, *((words.format(n=n), (str(n),), self._on_digit) for n in range(1, MOST_KEYS + 1))

    def name_of_key(self, number: int) -> str | None:
        """Return the label of the key 1 to 9; None if there are not so many labels."""
        return self.names[number - 1] if 1 <= number <= min(MOST_KEYS, len(self.names)) else None

    def check(self, name: str | None) -> None:
        """Mark the label that the clip has; None or "" for none."""
        self._checked = name
        for label_name, button in self.buttons.items():
            button.setChecked(bool(name) and label_name == name)

    def ask_for_label(self) -> None:
        """Let the person name a new label, and choose it, spelled as labels are wherever that is possible."""
        text, is_accepted = QInputDialog.getText(
            self, self.tr("A label of your own"), self.tr("Its name, such as “hiccups” or “door”:")
        )
        # "Tür" and "next door's dog" become names that a folder may have. If nothing is left, the receiver refuses it.
        name = label_of_folder(re.sub("['’]", "", text)) or text.strip()
        if is_accepted and name:
            self.label_chosen.emit(name)

    @Slot()
    def _place_anew(self) -> None:
        self._columns = 0
        self._place()

    def _place(self) -> None:
        count = len(self.buttons)
        room = max(1, self.width()) / ((_SMALL_EM if self._is_small else _ROOMY_EM) * current_theme().text_px)
        rows = -(-count // max(3, int(room)))
        columns = -(-count // rows)
        if columns == self._columns:
            return
        self._columns = columns
        for index, button in enumerate(self.buttons.values()):
            self._grid.addWidget(button, index // columns, index % columns)
        for column in range(self._grid.columnCount()):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    @Slot()
    def _on_digit(self) -> None:
        action = self.sender()
        name = self.name_of_key(int(action.shortcut().toString())) if isinstance(action, QAction) else None
        if name is not None:
            self.label_chosen.emit(name)

    @Slot()
    def _on_other_key(self) -> None:
        if self.isEnabled() and self.isVisible():
            self.ask_for_label()

    @Slot()
    def _on_clicked(self) -> None:
        button = self.sender()
        if isinstance(button, LabelButton):
            if button.name:
                self.label_chosen.emit(button.name)
            else:
                self.ask_for_label()
