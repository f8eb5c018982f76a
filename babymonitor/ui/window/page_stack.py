"""The pages of the window, of which one is shown; each is built when it is first visited."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from babymonitor.ui.parts.page import Page
from babymonitor.ui.parts.text_label import wrapped_label


class PageStack(QStackedWidget):
    """Asks of all pages alike what would be lost, and has all of them shut down."""

    complained = Signal(object)
    """A sentence from any page."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._makers: dict[int, Callable[[], Page]] = {}

    def add_page(self, make: Callable[[], Page]) -> None:
        """Add a page at the end; `make` is called when the page is first shown."""
        self._makers[self.count()] = make
        self.addWidget(Page(self))

    def show_page(self, number: int) -> Page:
        """Show a page and return it."""
        make = self._makers.pop(number, None)
        if make is not None:
            page, placeholder = make(), self._page(number)
            page.complained.connect(self.complained)
            self.removeWidget(placeholder)
            placeholder.deleteLater()
            self.insertWidget(number, page)
        self.setCurrentIndex(number)
        return self._page(number)

    @property
    def busy_sentences(self) -> list[str]:
        """What would be lost if the program were closed now, a sentence for each page that is busy."""
        return [page.busy_sentence for page in self._pages() if page.busy_sentence]

    def shut_down(self) -> None:
        """End whatever is under way on any page."""
        for page in self._pages():
            page.shut_down()

    def _pages(self) -> list[Page]:
        return [self._page(number) for number in range(self.count())]

    def _page(self, number: int) -> Page:
        page = self.widget(number)
        assert isinstance(page, Page)
        return page


class EmptyPage(Page):
    """Stands where a page cannot be had, and says why: better no page than one that forgets what is put into it."""

    def __init__(self, reason: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.label = wrapped_label(reason, "muted", self)
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(48, 48, 48, 48)
        column.addWidget(self.label)
