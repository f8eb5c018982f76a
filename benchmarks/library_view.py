"""The library's page with 10,000 clips: how long until it is shown, filtered, scrolled, labelled.

    python -m benchmarks.library_view [--clips 10000] [--rounds 5]

The real window on a virtual screen (Xvfb), with real FLACs. An operation ends when the pixels on the screen have
changed (according to the X server) or, for scrolling, when a frame has been painted and handed to it. Wall time and the
CPU time of the process are both measured; on a busy machine only the latter reflects the work itself.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.library import make_files
from benchmarks.measurement import median, note, percentile, print_machine, print_table, verdict
from benchmarks.screen import Screen
from tests.virtual_hardware import VirtualScreen

_FRAME_MS = 1000 / 60
_PATIENCE_SECONDS = 20.0
_WHEEL_STEPS = 300


@dataclass
class Times:
    """The times of one operation, in milliseconds, for each time it was performed."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def row(self, name: str, aim_ms: float) -> list[str]:
        cells = [f"{median(self.wall):.1f}", f"{percentile(self.wall, 95):.1f}", f"{median(self.cpu):.1f}"]
        return [name, *cells, verdict(median(self.cpu), aim_ms)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as home:
        os.environ["BABYMONITOR_HOME"] = home
        note(f"Making {arguments.clips} clips …")
        make_files(Path(home) / "library", arguments.clips)
        screen = VirtualScreen()
        try:
            _measure(arguments.rounds)
        finally:
            screen.close()


def _measure(rounds: int) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QApplication

    from babymonitor.core import paths
    from babymonitor.core.history.history import History
    from babymonitor.core.library.library import Library
    from babymonitor.core.settings import LISTEN_AT_START, Settings
    from babymonitor.live.monitor import Monitor
    from babymonitor.ui.pages.label.label_page import LIBRARY_TAB, LabelPage
    from babymonitor.ui.pages.label.library_model import ClipColumn
    from babymonitor.ui.window.main_window import LABEL_PAGE, MainWindow

    app = QApplication(sys.argv[:1])
    settings = Settings(paths.settings_file())
    settings[LISTEN_AT_START] = False
    history = History(paths.history_file())
    note("Making the rows …")
    Library().close()
    began = time.perf_counter()
    library = Library()
    opened_ms = 1000 * (time.perf_counter() - began)
    monitor = Monitor(settings, history)
    window = MainWindow(monitor, settings, history, lambda: (library, ""))
    window.resize(1024, 640)
    window.show()
    window.show_label()
    page = window.pages.widget(LABEL_PAGE)
    assert isinstance(page, LabelPage)
    view = page.library_view
    screen = Screen()
    table: dict[str, Times] = {}

    def settle() -> None:
        until = time.perf_counter() + 0.3
        while time.perf_counter() < until:
            app.processEvents()

    def timed(name: str, act: Callable[[], object]) -> None:
        """Perform an operation and wait until its effect is visible."""
        settle()
        before = screen.look()
        wall, cpu = time.perf_counter(), time.process_time()
        act()
        while screen.look() == before:
            app.processEvents()
            if time.perf_counter() - wall > _PATIENCE_SECONDS:
                raise RuntimeError(f"Nothing was seen of: {name}.")
        _keep(table, name, wall, cpu)

    def labelled(name: str, count: int, label: str) -> None:
        """Label clips and wait until that is painted: too few pixels change to be noticed on the screen."""
        view.table.choose([clip.id for clip in view.model.shown[:count]])
        settle()
        wall, cpu = time.perf_counter(), time.process_time()
        view.label_selection(label)
        view.repaint()
        _keep(table, name, wall, cpu)

    for number in range(rounds):
        page.show_labelling()
        page.labelling.refresh()  # so that everything is read again
        timed("open the tab (read 10,000 rows)", lambda: page.show_tab(LIBRARY_TAB))
        timed("filter by a label", lambda: view.filter_bar.label_box.setCurrentIndex(2))
        timed("all of them again", lambda: view.filter_bar.label_box.setCurrentIndex(0))
        timed("search a word", partial(_search, view, f"note {number + 1}"))
        timed("search nothing", lambda: _search(view, ""))
        timed("sort by label", lambda: view.table.sortByColumn(ClipColumn.LABEL, Qt.SortOrder.AscendingOrder))
        timed("sort by time", lambda: view.table.sortByColumn(ClipColumn.RECORDED, Qt.SortOrder.DescendingOrder))
        timed("choose all", view.table.selectAll)
        first, second = ("pain", "tired") if number % 2 else ("happy", "sad")
        labelled("label one (file and row too)", 1, first)
        labelled("label 50 at once", 50, second)
    settle()
    _scroll(view, table)
    aims = {"a frame while scrolling": _FRAME_MS, "open the tab (read 10,000 rows)": 300.0, "label 50 at once": 1000.0}
    rows = [times.row(name, aims.get(name, 100.0)) for name, times in table.items()]
    print(f"{len(view.model.clips)} clips, window {window.width()} × {window.height()}, {rounds} rounds; ", end="")
    print(f"the library itself opened in {opened_ms:.0f} ms\n")
    print_table(["what", "ms, median", "95 %", "CPU ms, median", "aim (CPU ms)"], rows)
    screen.close()
    window.close_without_asking()
    monitor.shut_down()
    history.close()
    library.close()


def _search(view: object, text: str) -> None:
    """Search for a text as if typed, without the wait for the next letter."""
    from babymonitor.ui.pages.label.library_view import LibraryView

    assert isinstance(view, LibraryView)
    view.filter_bar.search_edit.setText(text)
    view.filter_bar.find_now()


def _scroll(view: object, table: dict[str, Times]) -> None:
    """Scroll by the wheel's three rows; each step is painted before the next."""
    from babymonitor.ui.pages.label.library_view import LibraryView

    assert isinstance(view, LibraryView)
    bar, viewport = view.table.verticalScrollBar(), view.table.viewport()
    step = 3 * view.table.verticalHeader().defaultSectionSize()
    for number in range(_WHEEL_STEPS):
        # Every few steps jump far away, to rows that have not been painted yet.
        bar.setValue(bar.value() + step if number % 10 else bar.maximum() * number // _WHEEL_STEPS)
        wall, cpu = time.perf_counter(), time.process_time()
        viewport.repaint()
        _keep(table, "a frame while scrolling", wall, cpu)


def _keep(table: dict[str, Times], name: str, wall: float, cpu: float) -> None:
    times = table.setdefault(name, Times())
    times.wall.append(1000 * (time.perf_counter() - wall))
    times.cpu.append(1000 * (time.process_time() - cpu))


if __name__ == "__main__":
    main()
