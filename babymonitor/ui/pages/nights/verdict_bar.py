"""The answers to a chosen episode as small buttons with keys: right, wrong and what it was, into the library."""

from __future__ import annotations

import time

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtGui import QAction, QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QInputDialog, QMenu, QPushButton, QWidget

from babymonitor.core.history.history import RIGHT, UNSURE, WRONG, HistoryError
from babymonitor.core.history.review import Episode, Mark, Reviewer
from babymonitor.core.labels import LABELS, label
from babymonitor.core.library.clip import label_of_folder
from babymonitor.core.library.library import LibraryError
from babymonitor.core.settings import BABY_NAME, Settings
from babymonitor.ui.parts.keys import add_keys
from babymonitor.ui.parts.theme import current_theme
from babymonitor.ui.parts.wording import label_title


class VerdictBar(QWidget):
    """Shows what can be said about one episode, and stores the answer."""

    marked = Signal(object)
    """An episode was reviewed, or its review was undone: the Episode as it is now."""
    complained = Signal(object)
    """A sentence about what could not be stored."""

    def __init__(self, reviewer: Reviewer, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self._settings = settings
        self._episode: Episode | None = None
        self._marks: list[Mark] = []
        self._is_adding = False
        self.right_button = self._button(self.tr("✓ Right"))
        self.wrong_button = self._button(self.tr("✕ Wrong…"))
        self.unsure_button = self._button(self.tr("? Not sure"))
        self.library_button = self._button(self.tr("Add to library…"))
        self.undo_button = self._button(self.tr("Undo"))
        self.undo_button.setToolTip(self.tr("Take back what you said last (Ctrl+Z)"))
        self.menu = QMenu(self)
        self.menu.setAccessibleName(self.tr("What was it?"))
        self.name_dialog: QInputDialog | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for button in self._buttons():
            row.addWidget(button)
        tr = self.tr
        # Not the buttons' own shortcuts, which wait until the button has been drawn as pressed.
        add_keys(
            self,
            (
                (tr("It was right"), ("Y",), self.mark_right),
                (tr("It was wrong, and what it was"), ("N",), self.ask_what_it_was),
                (tr("Not sure"), ("U",), self.mark_unsure),
                (tr("Add to the library"), ("K",), self.ask_for_label),
                (tr("Undo"), ("Ctrl+Z",), self.undo),
            ),
        )
        self.right_button.clicked.connect(self.mark_right)
        self.unsure_button.clicked.connect(self.mark_unsure)
        self.undo_button.clicked.connect(self.undo)
        self.wrong_button.clicked.connect(self.ask_what_it_was)
        self.library_button.clicked.connect(self.ask_for_label)
        self.menu.triggered.connect(self._on_label_chosen)
        self.set_episode(None)

    def _button(self, text: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setProperty("role", "small")
        return button

    def _buttons(self) -> tuple[QPushButton, ...]:
        return self.right_button, self.wrong_button, self.unsure_button, self.library_button, self.undo_button

    def set_episode(self, episode: Episode | None) -> None:
        """Offer the answers to an episode; None for no episode."""
        library_label, has_sound = None, False
        if episode is not None and self._reviewer.has_library:
            try:
                library_label = next((clip.label for clip in self._reviewer.clips_of(episode)), None)
                has_sound = self._reviewer.clip_path(episode) is not None
            except LibraryError as error:
                self.complained.emit(str(error))
        self._episode = episode
        is_over = episode is not None and episode.ended is not None
        for button in (self.right_button, self.wrong_button, self.unsure_button):
            button.setEnabled(is_over)
        self.library_button.setEnabled(is_over and has_sound)
        self.library_button.setText(self.tr("Add to library…") if library_label is None else self.tr("In the library…"))
        if episode is not None and episode.is_near_miss:
            self.right_button.setToolTip(self.tr("Right not to wake you (Y)"))
            self.wrong_button.setToolTip(self.tr("It should have woken you: say what it was (N)"))
        else:
            self.right_button.setToolTip(self.tr("Right to wake you (Y)"))
            self.wrong_button.setToolTip(self.tr("It woke you for nothing: say what it was (N)"))
        self.unsure_button.setToolTip(self.tr("Reviewed, and you cannot tell (U)"))
        if library_label is None:
            tip = self.tr("Keep its sound under a label, to teach the monitor with it (K)")
        else:
            tip = self.tr("It is kept as: {label}. Choose another label (K)").format(label=label_title(library_label))
        self.undo_button.setEnabled(bool(self._marks))
        if not self._reviewer.has_library:
            tip = self.tr("The library cannot be opened.")
        elif not has_sound:
            tip = self.tr("There is no sound of this one.")
        self.library_button.setToolTip(tip)

    def _mark(self, verdict: str, label: str) -> None:
        episode = self._episode
        if episode is None or episode.ended is None:
            return
        try:
            mark = self._reviewer.mark(episode, verdict, label, time.time(), baby=self._settings[BABY_NAME])
        except HistoryError as error:
            self.complained.emit(str(error))
            return
        self._marks.append(mark)
        # A missing library was announced at the start, and the table shows that a sound is gone.
        if mark.sentence and self._reviewer.has_library and self._reviewer.clip_path(episode) is not None:
            self.complained.emit(mark.sentence)
        self.marked.emit(mark.after)

    @Slot()
    def mark_right(self) -> None:
        """Store that it was right to wake somebody, or to let them sleep."""
        self._mark(RIGHT, "")

    @Slot()
    def mark_unsure(self) -> None:
        """Store that somebody listened and could not tell."""
        self._mark(UNSURE, "")

    @Slot()
    def undo(self) -> None:
        """Undo the last answer, whichever episode it was about."""
        if not self._marks:
            return
        mark = self._marks.pop()
        try:
            sentence = self._reviewer.undo(mark)
        except HistoryError as error:
            sentence = str(error)
        if sentence:
            self.complained.emit(sentence)
        self.marked.emit(mark.before)

    @Slot()
    def ask_what_it_was(self) -> None:
        """Let the person choose what it was, because the monitor was wrong."""
        if self._episode is not None and self.wrong_button.isEnabled():
            self._is_adding = False
            # A wrong alert was no crying; a near miss that was wrong was crying.
            was_crying = self._episode.is_near_miss
            self._ask([name for name in LABELS if label(name).crying is was_crying], self.wrong_button)

    @Slot()
    def ask_for_label(self) -> None:
        """Let the person choose the label under which it goes into the library."""
        if self._episode is not None and self.library_button.isEnabled():
            self._is_adding = True
            self._ask(list(LABELS), self.library_button)

    def _ask(self, names: list[str], beneath: QPushButton) -> None:
        """Open a menu of labels, each with the digit that it has everywhere."""
        self.menu.clear()
        digits = {name: number for number, name in enumerate(LABELS, start=1)}
        for name in names:
            action = QAction(self._icon(name), f"&{digits[name]}   {label_title(name)}", self.menu)
            action.setData(name)
            self.menu.addAction(action)
        self.menu.addSeparator()
        ask_for_name = QAction(f"&{len(LABELS) + 1}   " + self.tr("Something else…"), self.menu)
        ask_for_name.setData("")
        self.menu.addAction(ask_for_name)
        # The menu opens above the button, because there is no room beneath it.
        height = self.menu.sizeHint().height() + 4
        self.menu.popup(beneath.mapToGlobal(QPoint(0, -height)))
        self.menu.setActiveAction(self.menu.actions()[0])

    def _icon(self, name: str) -> QIcon:
        side = 32
        pixmap = QPixmap(side, side)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        font = painter.font()
        font.setPixelSize(26)
        painter.setFont(font)
        painter.setPen(QColor(current_theme().label_colour(name)))
        painter.drawText(pixmap.rect(), Qt.AlignmentFlag.AlignCenter, label(name).icon)
        painter.end()
        return QIcon(pixmap)

    @Slot(QAction)
    def _on_label_chosen(self, action: QAction) -> None:
        name = str(action.data())
        if name:
            self._choose(name)
            return
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(self.tr("What was it?"))
        dialog.setLabelText(self.tr("A label of your own, in the letters a to z: cat, door, cough"))
        dialog.textValueSelected.connect(self._on_name_given)
        self.name_dialog = dialog
        dialog.open()

    @Slot(str)
    def _on_name_given(self, text: str) -> None:
        self.name_dialog = None
        name = label_of_folder(text)
        if name:
            self._choose(name)

    def _choose(self, name: str) -> None:
        if self._episode is None:
            return
        if self._is_adding or name in LABELS:
            # What it was tells whether the monitor was right, too.
            self._mark(self._episode.verdict_for(name), name)
        else:
            self._mark(WRONG, name)
