"""The library's table on the real window: search, selection, labelling several clips, deleting and restoring."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QTextDocumentFragment
from PySide6.QtWidgets import QApplication, QInputDialog
from pytestqt.qtbot import QtBot

from babymonitor.core.library.label_counts import LabelHealth
from babymonitor.core.library.library import Library, LibraryClip
from babymonitor.ui.pages.label.label_counts_view import LabelCountBars
from babymonitor.ui.pages.label.label_page import LABEL_TAB, LabelPage
from babymonitor.ui.pages.label.library_model import CLIP_ROLE, ClipColumn, ClipFilter, LibraryModel
from babymonitor.ui.pages.label.library_view import LibraryView
from babymonitor.ui.window.main_window import LABEL_PAGE, MainWindow

Key = Qt.Key
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
NOW = 1_790_000_000.0
LABELS = ("hungry", "tired", "background", "", "hungry", "door", "natural", "")
Measured = Callable[[str, str], None]


def fill(library: Library) -> list[LibraryClip]:
    """Add eight clips, the newest first; every third is Ben's."""
    random = np.random.default_rng(1)
    return [
        library.add(
            np.asarray(random.standard_normal(4800) * 0.1, np.float32),
            label,
            group=f"night-{number // 3}",
            baby="Ben" if number % 3 == 2 else "Mia",
            recorded=NOW - 600 * number,
            note="before the feed" if number == 4 else "",
        )
        for number, label in enumerate(LABELS)
    ]


@pytest.fixture
def clips(library: Library) -> list[LibraryClip]:
    return fill(library)


@pytest.fixture
def page(window: MainWindow, clips: list[LibraryClip], qtbot: QtBot) -> LabelPage:
    window.show_label()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    page = window.pages.widget(LABEL_PAGE)
    assert isinstance(page, LabelPage)
    page.show_library()
    return page


@pytest.fixture
def view(page: LabelPage) -> LibraryView:
    return page.library_view


def press(qtbot: QtBot, view: LibraryView, key: Key, modifier: Qt.KeyboardModifier | None = None) -> None:
    target = QApplication.focusWidget() or view.window()
    qtbot.keyClick(target, key, modifier or Qt.KeyboardModifier.NoModifier)


def choose_label(view: LibraryView, label: str | None) -> None:
    view.filter_bar.label_box.setCurrentIndex(
        [view.filter_bar.label_box.itemData(row) for row in range(view.filter_bar.label_box.count())].index(label)
    )


def ids(view: LibraryView) -> list[str]:
    return [clip.id for clip in view.model.shown]


def test_all_are_listed_the_newest_first(view: LibraryView, clips: list[LibraryClip]) -> None:
    assert ids(view) == [clip.id for clip in clips]
    assert view.count_label.text() == "8 clips"
    row = [view.model.index(4, column).data() for column in ClipColumn]
    assert row[ClipColumn.LABEL] == "Hungry"
    assert row[ClipColumn.LENGTH] == "0.3 s"
    assert row[ClipColumn.NOTE] == "before the feed"
    assert row[ClipColumn.LEVEL] == "−20 dB"
    assert view.model.index(3, ClipColumn.LABEL).data() == "No label yet"


def test_filters_and_search(view: LibraryView, clips: list[LibraryClip], qtbot: QtBot) -> None:
    texts = [view.filter_bar.label_box.itemText(row) for row in range(view.filter_bar.label_box.count())]
    assert texts[:3] == ["All clips", "No label yet (2)", "Hungry (2)"]
    assert texts[-2:] == ["Door (1)", "Recently deleted"]
    choose_label(view, "hungry")
    assert ids(view) == [clips[0].id, clips[4].id]
    assert view.filter_bar.baby_box.isVisible()
    assert not view.filter_bar.group_box.isVisible(), "three could not be read side by side"
    view.filter_bar.baby_box.setCurrentText("Mia")
    assert ids(view) == [clips[0].id, clips[4].id]
    view.filter_bar.group_box.setCurrentText("night-1")
    assert ids(view) == [clips[4].id]
    view.filter_bar.group_box.setCurrentIndex(0)
    choose_label(view, None)
    view.filter_bar.baby_box.setCurrentText("Ben")
    assert ids(view) == [clips[2].id, clips[5].id]
    view.filter_bar.baby_box.setCurrentIndex(0)
    press(qtbot, view, Key.Key_F, CONTROL)
    assert view.filter_bar.search_edit.hasFocus()
    qtbot.keyClicks(view.filter_bar.search_edit, "feed before")
    qtbot.waitUntil(lambda: ids(view) == [clips[4].id])
    qtbot.keyClicks(view.filter_bar.search_edit, "xyz")
    qtbot.waitUntil(lambda: ids(view) == [])
    assert view.empty_label.text() == "Nothing matches."


def test_many_are_labelled_at_once_in_one_step(
    view: LibraryView, library: Library, clips: list[LibraryClip], qtbot: QtBot
) -> None:
    view.table.choose([clips[3].id, clips[5].id, clips[7].id])
    assert view.count_label.text() == "3 of 8 chosen"
    press(qtbot, view, Key.Key_3)
    assert [clip.label for clip in library.clips()] == [
        "hungry", "tired", "background", "tired", "hungry", "tired", "natural", "tired",
    ]  # fmt: skip
    assert view.table.chosen_ids() == [clips[3].id, clips[5].id, clips[7].id], "what was chosen stays chosen"
    assert view.model.index(3, ClipColumn.LABEL).data() == "Tired"
    press(qtbot, view, Key.Key_Z, CONTROL)
    assert [clip.label for clip in library.clips()] == list(LABELS)
    press(qtbot, view, Key.Key_Z, CONTROL | SHIFT)
    assert library.clip(clips[5].id).label == "tired"  # type: ignore[union-attr]


def test_labelling_one_goes_on_to_the_next(view: LibraryView, clips: list[LibraryClip], qtbot: QtBot) -> None:
    view.table.setCurrentIndex(view.model.index(3, 0))
    press(qtbot, view, Key.Key_1)
    assert view.table.chosen_ids() == [clips[4].id]


def test_a_clip_that_leaves_the_filter_makes_place_for_the_next(
    view: LibraryView, clips: list[LibraryClip], qtbot: QtBot
) -> None:
    choose_label(view, "")
    assert ids(view) == [clips[3].id, clips[7].id]
    view.table.setCurrentIndex(view.model.index(0, 0))
    press(qtbot, view, Key.Key_1)
    assert ids(view) == [clips[7].id]
    assert view.table.chosen_ids() == [clips[7].id]


def test_delete_undo_and_the_trash(
    page: LabelPage, view: LibraryView, library: Library, clips: list[LibraryClip], qtbot: QtBot
) -> None:
    view.table.choose([clips[0].id, clips[1].id])
    press(qtbot, view, Key.Key_Delete)
    assert ids(view) == [clip.id for clip in clips[2:]]
    press(qtbot, view, Key.Key_Z, CONTROL)
    assert ids(view) == [clip.id for clip in clips]
    press(qtbot, view, Key.Key_Z, CONTROL | SHIFT)
    choose_label(view, "\0trash")
    assert set(ids(view)) == {clips[0].id, clips[1].id}
    assert view.delete_button.text() == "Bring back"
    assert not view.label_buttons.isEnabled()
    view.table.choose([clips[1].id])
    press(qtbot, view, Key.Key_Delete)
    assert ids(view) == [clips[0].id]
    choose_label(view, None)
    assert ids(view) == [clip.id for clip in clips[1:]]
    assert view.delete_button.text() == "Delete"


def test_enter_opens_a_clip_on_the_other_tab(
    page: LabelPage, view: LibraryView, clips: list[LibraryClip], qtbot: QtBot
) -> None:
    view.table.setCurrentIndex(view.model.index(4, 0))
    press(qtbot, view, Key.Key_Return)
    assert page.stack.currentIndex() == LABEL_TAB
    assert page.labelling_view.clip is not None
    assert page.labelling_view.clip.id == clips[4].id
    assert page.labelling_view.note_edit.text() == "before the feed"


def test_notes_and_names_are_written_in_the_table(
    view: LibraryView, library: Library, clips: list[LibraryClip], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    view.table.setCurrentIndex(view.model.index(0, ClipColumn.NOTE))
    press(qtbot, view, Key.Key_F2)
    editor = QApplication.focusWidget()
    assert editor is not view.table
    qtbot.keyClicks(editor, "1 tooth")
    qtbot.keyClick(editor, Key.Key_Return)
    qtbot.waitUntil(lambda: library.clip(clips[0].id).note == "1 tooth")  # type: ignore[union-attr]
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("Ada", True))
    view.table.choose([clips[0].id, clips[1].id])
    press(qtbot, view, Key.Key_B)
    assert [clip.baby for clip in library.clips()][:3] == ["Ada", "Ada", "Ben"]


def test_a_click_on_a_header_sorts(view: LibraryView, clips: list[LibraryClip]) -> None:
    view.table.sortByColumn(ClipColumn.LABEL, Qt.SortOrder.AscendingOrder)
    shown = [clip.label for clip in view.model.shown]
    assert shown == sorted(shown)
    view.table.sortByColumn(ClipColumn.RECORDED, Qt.SortOrder.AscendingOrder)
    assert ids(view) == [clip.id for clip in reversed(clips)]


def test_export(page: LabelPage, clips: list[LibraryClip], tmp_path: Path, qtbot: QtBot) -> None:
    target = tmp_path / "out"
    page.export_to(str(target))
    assert page.message_button.text() == "Cancel"
    qtbot.waitUntil(lambda: not page.is_busy)
    assert page.message_label.text().startswith(f"8 clips were copied to {target}; ")
    metadata = json.loads((target / "train_metadata.json").read_text())
    metadata |= json.loads((target / "val_metadata.json").read_text())
    assert {entry["emotion"] for entry in metadata.values()} == {"hungry", "tired", "background", "door", "natural"}
    page.export_to(str(target))
    qtbot.waitUntil(lambda: not page.is_busy)
    assert len(list(target.glob("babymonitor-*/train_metadata.json"))) == 1, "into a new folder beside what is there"


def test_an_export_that_is_cancelled_leaves_nothing(page: LabelPage, clips: list[LibraryClip], tmp_path: Path) -> None:
    page.export_to(str(tmp_path / "out"))
    page.message_button.click()
    assert not page.is_busy
    left = list((tmp_path / "out").rglob("*.flac"))
    assert len(left) in (0, 8), "all or nothing"


def test_health_is_told_in_words_too(view: LibraryView, clips: list[LibraryClip], qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: bool(view.counts_view.advice_label.text()))
    words = view.counts_view.bars.accessible_text()
    assert words.startswith("Hungry 2 clips, 0 s · 1 night · 1 baby, 198 to go. Pain 0 clips, none yet")


@pytest.mark.parametrize(
    ("clips", "state", "words"),
    [
        (0, "none", "none yet"),
        (12, "few", "188 to go"),
        (200, "enough", "enough, 300 to good"),
        (230, "few", "from more nights"),
        (501, "good", "good"),
    ],
)
def test_how_far_it_is(qtbot: QtBot, clips: int, state: str, words: str) -> None:
    bars = LabelCountBars()
    qtbot.addWidget(bars)
    count = LabelHealth("hungry", clips, 3.0, 2, 1, {}, state, 2)
    bars.set_counts([count])
    assert bars.words(count) == words
    assert not bars.grab().isNull()


def test_what_the_library_gets_elsewhere_is_seen(view: LibraryView, page: LabelPage, library: Library) -> None:
    """The Nights page adds clips, too; this page reads them when it is shown."""
    new = library.add(np.full(8000, 0.1, np.float32), "pain", group="night-9", recorded=NOW + 60, source="night")
    page.hide()
    page.show()
    assert ids(view)[0] == new.id


def test_ten_thousand_rows(qtbot: QtBot, clips: list[LibraryClip], measured: Measured) -> None:
    """With as many clips as anybody will have, it filters and sorts in a moment and keeps the selection."""
    many = [
        replace(clips[number % 8], id=f"{number:016x}", recorded=NOW - number, group=f"night-{number // 100}")
        for number in range(10_000)
    ]
    model = LibraryModel()
    began = time.perf_counter()
    model.set_clips(many)
    listed = time.perf_counter()
    model.show_only(ClipFilter(text="feed hungry"))
    searched = time.perf_counter()
    assert len(model.shown) == 1250
    model.show_only(ClipFilter(label="door"))
    model.sort(ClipColumn.GROUP)
    done = time.perf_counter()
    assert model.rowCount() == 1250
    measured(
        "10,000 rows",
        f"listed {1000 * (listed - began):.0f} ms, searched {1000 * (searched - listed):.0f} ms, "
        f"filtered and sorted {1000 * (done - searched):.0f} ms",
    )
    model.update_clips({many[0].id: replace(many[0], label="door"), many[1].id: None, "f" * 16: clips[5]})
    assert len(model.clips) == 10_000
    assert model.row_of(many[0].id) is not None


def test_the_model_keeps_qts_rules(clips: list[LibraryClip]) -> None:
    from PySide6.QtTest import QAbstractItemModelTester

    model = LibraryModel()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.set_clips(clips)
    model.show_only(ClipFilter(label="hungry"))
    model.show_only(ClipFilter())
    model.set_clips([replace(clip, note="x") for clip in clips])
    model.set_clips([])
    assert model.index(0, 0).data(CLIP_ROLE) is None
    assert model.rowCount(QPersistentModelIndex(QModelIndex())) == 0
    del tester


def test_a_selection_of_thousands_is_restored_in_stretches(view: LibraryView, clips: list[LibraryClip]) -> None:
    view.table.selectAll()
    assert view.table.chosen_ids() == [clip.id for clip in clips]
    view.table.selectionModel().select(
        view.model.index(2, 0),
        QItemSelectionModel.SelectionFlag.Deselect | QItemSelectionModel.SelectionFlag.Rows,
    )
    chosen = view.table.chosen_ids()
    assert len(chosen) == 7
    view.refresh()
    assert view.table.chosen_ids() == chosen


def test_what_strangers_wrote_is_shown_and_not_obeyed(library: Library, page: LabelPage, view: LibraryView) -> None:
    """A note and a name out of somebody's file: Qt would load the picture, and a device has no end."""
    evil = '<img src="/dev/zero"> & co'
    clip = library.add(np.full(4800, 0.25, np.float32), "", group="import-x", source="import", note=evil, origin=evil)
    page.labelling.refresh()
    rows = [view.model.index(row, 0).data(CLIP_ROLE).id for row in range(view.model.rowCount())]
    tips = [
        view.model.index(rows.index(clip.id), column).data(Qt.ItemDataRole.ToolTipRole)
        for column in (ClipColumn.NOTE, ClipColumn.GROUP)
    ]
    page.show_labelling()
    queue = page.labelling_view.queue
    tips.append(queue.list.item(queue.ids.index(clip.id)).toolTip())
    for tip in tips:
        assert "<img" not in tip
        assert QTextDocumentFragment.fromHtml(tip).toPlainText() == evil
