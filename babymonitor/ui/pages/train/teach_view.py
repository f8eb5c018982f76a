"""The tab to teach the model in use: what it would be taught with, what is missing, and how long it takes."""

from __future__ import annotations

from collections import Counter

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from babymonitor.core.labels import label as known_label
from babymonitor.core.library.label_counts import night_of
from babymonitor.core.library.library import Library, LibraryError
from babymonitor.ui.parts.card import Card
from babymonitor.ui.parts.text_label import text_label, wrapped_label
from babymonitor.ui.parts.wording import label_title, translated

_FEW_CLIPS = 20


class TeachView(QWidget):
    """Describes the library as teaching material, and has the button to begin."""

    teach_requested = Signal()

    def __init__(self, library: Library, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self.teach_label = wrapped_label()
        self.missing_label = wrapped_label("", "muted")
        promise = self.tr(
            "The model in use learns your clips on top of what it knows. It is then compared with the present one "
            "on clips it has not learnt from, and nothing changes until you say so."
        )
        self.teach_button = QPushButton(self.tr("Teach it my baby"), self)
        self.teach_button.setProperty("role", "main")
        self.teach_button.setToolTip(self.tr("Begin (Ctrl+T)"))
        self.teach_button.clicked.connect(self.teach_requested)
        card = Card(self)
        column = QVBoxLayout(card)
        column.setContentsMargins(28, 24, 28, 24)
        column.setSpacing(14)
        column.addWidget(text_label(self.tr("Teach it my baby"), "pageTitle"))
        column.addWidget(self.teach_label)
        column.addWidget(self.missing_label)
        column.addWidget(wrapped_label(promise, "muted"))
        column.addSpacing(6)
        column.addWidget(self.teach_button, 0, Qt.AlignmentFlag.AlignLeft)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(card)
        outer.addStretch(1)

    @property
    def can_teach(self) -> bool:
        """Whether there is anything to teach."""
        return self.teach_button.isEnabled()

    def refresh(self) -> None:
        """Read the library again."""
        try:
            clips = [clip for clip in self._library.clips() if clip.label]
        except LibraryError as error:
            self.teach_label.setText(translated(str(error)))
            self.teach_button.setEnabled(False)
            return
        self.teach_button.setEnabled(bool(clips))
        if not clips:
            self.teach_label.setText(self.tr("There is nothing to learn from yet."))
            self.missing_label.setText(
                self.tr(
                    "Record your baby, or take clips out of your nights, and say what each is. Ten clips help already, "
                    "and so does what woke you for nothing: the cat, the door."
                )
            )
            return
        counts = Counter(clip.label for clip in clips)
        by_count = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        labels = ", ".join(f"{label_title(name).lower()} {n}" for name, n in by_count)
        nights = len({night_of(clip.recorded) for clip in clips})
        words = self.tr("It will use {clips} from {nights}: {labels}. That takes about {time}.")
        self.teach_label.setText(
            words.format(
                clips=self.tr("1 clip") if len(clips) == 1 else self.tr("{n} clips").format(n=len(clips)),
                nights=self.tr("1 night") if nights == 1 else self.tr("{n} nights").format(n=nights),
                labels=labels,
                time=self._time_text(len(clips)),
            )
        )
        self.missing_label.setText(" ".join(self._missing(counts, len({clip.group for clip in clips}))))
        self.missing_label.setVisible(bool(self.missing_label.text()))

    def _missing(self, counts: Counter[str], groups: int) -> list[str]:
        """Return sentences on what the library lacks. groups: recordings or nights."""
        sentences = []
        if counts.total() < _FEW_CLIPS:
            sentences.append(self.tr("These are few: with {n} clips or more it gets better.").format(n=_FEW_CLIPS))
        if not any(known_label(name).crying for name in counts):
            sentences.append(
                self.tr("There is no crying among them, so whether it still hears your baby cannot be told.")
            )
        if all(known_label(name).crying for name in counts):
            sentences.append(self.tr("There is only crying among them: add what must not wake you."))
        if groups == 1:
            sentences.append(self.tr("All are of one recording: another night would tell how well it has learnt."))
        return sentences

    def _time_text(self, clips: int) -> str:
        """Return a generous estimate: better to be done earlier than promised than later."""
        seconds = 8 + 0.4 * clips
        if seconds <= 32:
            return self.tr("half a minute")
        if seconds <= 75:
            return self.tr("a minute")
        return self.tr("{n} minutes").format(n=round(seconds / 60 + 0.5))
