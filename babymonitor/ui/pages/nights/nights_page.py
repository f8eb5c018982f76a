"""The Nights page: what happened, night by night, and the numbers people want in the morning."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtCore import QItemSelectionModel, Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core import paths
from babymonitor.core.history.history import AlertRow, History, HistoryError
from babymonitor.core.history.night import Night, NightReport, nights_with_anything, read_night, report_night
from babymonitor.core.history.review import NEAR_MISS, Episode, Reviewer
from babymonitor.core.library.library import Library
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.nights.alerts_file import write_alerts
from babymonitor.ui.pages.nights.numbers_view import NumbersView
from babymonitor.ui.pages.nights.timeline_view import TimelineView
from babymonitor.ui.pages.nights.verdict_bar import VerdictBar
from babymonitor.ui.pages.nights.weeks_view import WeeksView
from babymonitor.ui.parts.alerts_model import AlertColumn, AlertsFilter, AlertsModel, near_miss_sentences
from babymonitor.ui.parts.alerts_view import AlertsView
from babymonitor.ui.parts.card import Card
from babymonitor.ui.parts.choice_view import ChoiceView
from babymonitor.ui.parts.fitting_label import FittingLabel
from babymonitor.ui.parts.page import Page
from babymonitor.ui.parts.text_label import text_label, wrapped_label
from babymonitor.ui.parts.theme import current_theme, follow_theme
from babymonitor.ui.parts.wording import day_text, sounds_texts

_ALL = 0.0
"""Stands for all nights in the list, where a night stands as the Unix second of its beginning."""
_DAY = 86400.0
_REFRESH_MS = 30_000
"""How often the present night is read again while it is shown."""


class NightsPage(Page):
    """Reads the history when it is shown, when an alert changes, and every half minute; never while hidden."""

    def __init__(
        self, monitor: Monitor, history: History, parent: QWidget | None = None, library: Library | None = None
    ) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._history = history
        self._reviewer = Reviewer(history, library, paths.clips_folder())
        self._precision = (0, 0)
        self._is_announcing = False
        self._began: float | None = None
        self._is_stale = True
        self.report: NightReport | None = None
        self._build_nights()
        self._build_numbers()
        self._build_pictures()
        self._build_episodes()
        self._lay_out()
        self._build_timers()
        self._connect()
        follow_theme(self._apply_theme)

    def _build_nights(self) -> None:
        self.night_list = QListWidget(self)
        self.night_list.setAccessibleName(self.tr("Nights"))
        self.night_list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        words = self.tr("No night yet. Once it has listened for a minute, the night appears here by itself.")
        self.empty_label = wrapped_label(words, "muted", self)
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignCenter)

    def _build_numbers(self) -> None:
        self.title_label = text_label("", "pageTitle", self)
        self.precision_label = text_label("", "muted", self)
        self.precision_label.setToolTip(self.tr("Of the alerts for crying that you said were right or wrong."))
        self.numbers_view = NumbersView(self)

    @property
    def numbers(self) -> dict[str, QLabel]:
        """The numbers' labels by name: wake_ups, crying, quiet, deaf."""
        return self.numbers_view.numbers

    def _build_pictures(self) -> None:
        self.timeline_view = TimelineView(self)
        self.weeks_view = WeeksView(self)
        self._picture_title = text_label("", "title", self)
        self.sounds_label = FittingLabel(self)
        self.sounds_label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def _build_episodes(self) -> None:
        self.alerts_model = AlertsModel(self, with_reviews=True)
        self.alerts_filter = AlertsFilter(self)
        self.alerts_filter.setSourceModel(self.alerts_model)
        self.alerts_view = AlertsView(self.alerts_filter, self)
        self.alerts_view.sortByColumn(AlertColumn.BEGAN, Qt.SortOrder.AscendingOrder)
        self.kind_box = ChoiceView(self)
        for title, kind in (
            (self.tr("All episodes"), ""),
            (self.tr("Crying"), "crying"),
            (self.tr("Loud"), "loud"),
            (self.tr("With a clip"), "clip"),
            (self.tr("Not reviewed"), "waiting"),
            (self.tr("Near misses"), NEAR_MISS),
            (self.tr("With near misses"), "all"),
        ):
            self.kind_box.addItem(title, kind)
        self.kind_box.setAccessibleName(self.tr("Show which episodes"))
        self.search_edit = QLineEdit(self)
        self.search_edit.setPlaceholderText(self.tr("Search"))
        self.search_edit.setClearButtonEnabled(True)
        self.search_edit.setAccessibleName(self.tr("Search"))
        self.search_edit.setMaximumWidth(260)
        self.play_button = QPushButton(self.tr("Play"), self)
        self.export_button = QPushButton(self.tr("Export…"), self)
        self.export_button.setToolTip(
            self.tr("Save the episodes that are listed as CSV, as JSON or as a page to print (Ctrl+E)")
        )
        self.export_button.setShortcut("Ctrl+E")
        for button in (self.play_button, self.export_button):
            button.setProperty("role", "small")
        self.verdict_bar = VerdictBar(self._reviewer, self._monitor.settings, self)
        self.near_miss_label = FittingLabel(self)
        self.no_episodes_label = text_label(self.tr("Nothing to list."), "muted", self)
        self.no_episodes_label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)

    def _lay_out(self) -> None:
        picture = Card()
        column = QVBoxLayout(picture)
        column.setContentsMargins(16, 10, 16, 10)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self._picture_title)
        row.addWidget(self.sounds_label, 1)
        column.addLayout(row)
        column.addWidget(self.timeline_view)
        column.addWidget(self.weeks_view)
        episodes = Card()
        column = QVBoxLayout(episodes)
        column.setContentsMargins(16, 12, 12, 8)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.kind_box)
        row.addWidget(self.search_edit, 1)
        row.addStretch(1)
        row.addWidget(self.export_button)
        column.addLayout(row)
        column.addWidget(self.alerts_view, 1)
        column.addWidget(self.no_episodes_label, 1)
        column.addWidget(self.near_miss_label)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.play_button)
        row.addWidget(self.verdict_bar)
        row.addStretch(1)
        column.addLayout(row)
        page = QWidget(self)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        title = QHBoxLayout()
        title.addWidget(self.title_label)
        title.addStretch(1)
        title.addWidget(self.precision_label, 0, Qt.AlignmentFlag.AlignBottom)
        column.addLayout(title)
        column.addWidget(self.numbers_view)
        column.addWidget(picture)
        column.addWidget(episodes, 1)
        self._stack = QStackedWidget(self)
        # If a banner and large type leave no room, the page scrolls rather than shrinks.
        self.alerts_view.setMinimumHeight(128)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(page)
        area.setAccessibleName(self.tr("The night"))
        self._stack.addWidget(area)
        self._stack.addWidget(self.empty_label)
        nights = Card()
        inner = QVBoxLayout(nights)
        inner.setContentsMargins(6, 8, 6, 8)
        inner.addWidget(self.night_list)
        self._night_card = nights
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 16, 16, 16)
        row.setSpacing(12)
        row.addWidget(nights)
        row.addWidget(self._stack, 1)

    def _build_timers(self) -> None:
        # Several changes at once cause one reading.
        self._soon_timer = QTimer(self)
        self._soon_timer.setSingleShot(True)
        self._soon_timer.setInterval(0)
        self._soon_timer.timeout.connect(self.refresh)
        self._refresh_timer = QTimer(self)
        self._refresh_timer.setInterval(_REFRESH_MS)
        self._refresh_timer.timeout.connect(self._on_refresh_due)

    def _connect(self) -> None:
        self._monitor.alerts_changed.connect(self._on_alerts_changed)
        self._monitor.playback_changed.connect(self._on_playback_changed)
        self.night_list.currentItemChanged.connect(self._on_night_changed)
        self.timeline_view.alert_chosen.connect(self.alerts_view.select_alert)
        self.weeks_view.night_chosen.connect(self.show_night)
        self.alerts_view.alert_selected.connect(self._on_alert_selected)
        self.alerts_view.play_requested.connect(self._on_play_requested)
        self.kind_box.currentIndexChanged.connect(self._on_kind_changed)
        self.search_edit.textChanged.connect(self._on_search_changed)
        self.play_button.clicked.connect(self._on_play_clicked)
        self.export_button.clicked.connect(self._on_export_clicked)
        self.verdict_bar.marked.connect(self._on_marked)
        self.verdict_bar.complained.connect(self.complained)

    @Slot()
    def _apply_theme(self) -> None:
        self._night_card.setFixedWidth(round(current_theme().text_px * 10.2))

    @Slot()
    def refresh(self) -> None:
        """Read everything that is shown from the history."""
        self._is_stale = False
        now = time.time()
        try:
            nights = nights_with_anything(self._history, now)
            self._show_list(nights)
            self._show_chosen(nights, now)
        except HistoryError as error:
            self.complained.emit(str(error))

    @Slot(float)
    def show_night(self, began: float) -> None:
        """Choose a night by the Unix second of its beginning; 0 for all nights."""
        for row in range(self.night_list.count()):
            if self.night_list.item(row).data(Qt.ItemDataRole.UserRole) == began:
                self.night_list.setCurrentRow(row, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def _show_list(self, nights: list[Night]) -> None:
        """Fill the list if it changed. The choice stays; at first it is the last night."""
        entries = [_ALL, *(night.began for night in nights)] if nights else []
        shown = [self.night_list.item(row).data(Qt.ItemDataRole.UserRole) for row in range(self.night_list.count())]
        self._stack.setCurrentIndex(0 if nights else 1)
        if entries == shown:
            return
        self.night_list.blockSignals(True)
        self.night_list.clear()
        for began in entries:
            item = QListWidgetItem(self.tr("All nights") if began == _ALL else day_text(began))
            item.setData(Qt.ItemDataRole.UserRole, began)
            self.night_list.addItem(item)
        if self._began not in entries:
            self._began = nights[0].began if nights else None
        if self._began is not None:
            self.night_list.setCurrentRow(entries.index(self._began))
        self.night_list.blockSignals(False)

    def _show_chosen(self, nights: list[Night], now: float) -> None:
        if self._began is None:
            self.report = None
            return
        is_all = self._began == _ALL
        self.timeline_view.setVisible(not is_all)
        self.weeks_view.setVisible(is_all)
        if self.alerts_model.with_day is not is_all:
            self.alerts_model.with_day = is_all
            self.alerts_view.fit_columns()
        if is_all:
            self._show_all(nights, now)
        else:
            self._show_night(next(night for night in nights if night.began == self._began), now)
        self._show_episodes_or_note()

    def _show_night(self, night: Night, now: float) -> None:
        report = read_night(self._history, night, now)
        self.report = report
        first, last = day_text(night.began), day_text(night.ended)
        self.title_label.setText(self.tr("{first} to {last}").format(first=first, last=last))
        self._picture_title.setText(self.tr("The night"))
        self.timeline_view.set_report(report)
        self.sounds_label.set_parts(sounds_texts(report.sounds), " · ", self.tr("Also heard") + "   ")
        self.numbers_view.show_night(report)
        self._show_precision()
        episodes = self._reviewer.episodes(night.began, night.ended)
        self.alerts_model.set_episodes(list(reversed(episodes)))

    def _show_all(self, nights: list[Night], now: float) -> None:
        """Show all nights by their alerts alone: reading the minutes of a year would take a while."""
        alerts = self._history.alerts()
        by_night: dict[float, list[AlertRow]] = {night.began: [] for night in nights}
        for alert in alerts:
            by_night.setdefault(Night.of(alert.began).began, []).append(alert)
        reports = [report_night(night, [], by_night[night.began], [], now) for night in nights]
        self.report = None
        self.title_label.setText(self.tr("All nights"))
        self._picture_title.setText(self.tr("Minutes of crying per night"))
        self.weeks_view.set_reports(reports)
        self.sounds_label.set_parts([])
        self.numbers_view.show_usual(reports)
        self._show_precision()
        self.alerts_model.set_episodes(self._reviewer.episodes())

    def _show_precision(self) -> None:
        """Show how many alerts were right in the week of the chosen night, or ever."""
        if self._began is None or self._began == _ALL:
            words, span = self.tr("✓ {right} of {all} alerts right"), (0.0, 1e12)
        else:
            night = Night.of(self._began)
            words, span = self.tr("✓ {right} of {all} alerts right that week"), night.week()
            if time.time() < night.ended + _DAY:
                words = self.tr("✓ {right} of {all} alerts right this week")
        self._precision = right, wrong = self._history.precision(*span)
        self.precision_label.setVisible(right + wrong > 0)
        self.precision_label.setText(words.format(right=right, all=right + wrong))

    def _show_episodes_or_note(self) -> None:
        has_rows = self.alerts_filter.rowCount() > 0
        self.alerts_view.setVisible(has_rows)
        self.no_episodes_label.setVisible(not has_rows)
        kind = self.kind_box.currentData()
        if kind == "waiting" and not self.search_edit.text():
            note = self.tr("All of it is reviewed.")
        elif kind or self.search_edit.text():
            note = self.tr("Nothing matches.")
        else:
            note = self.tr("Nothing woke you in this night.")
        self.no_episodes_label.setText(note)
        self.export_button.setEnabled(has_rows)
        self._show_buttons()

    def _show_buttons(self) -> None:
        """Enable what can be done with the chosen episode."""
        self._show_play_button()
        episode = self.alerts_view.selected_alert()
        self.verdict_bar.set_episode(episode)
        self.near_miss_label.set_parts([] if episode is None else near_miss_sentences(episode))

    def _show_play_button(self) -> None:
        alert = self.alerts_view.selected_alert()
        is_playing = alert is not None and self.alerts_model.is_playing(alert)
        self.play_button.setText(self.tr("Stop") if is_playing else self.tr("Play"))
        self.play_button.setEnabled(alert is not None and alert.clip is not None)
        self.play_button.setToolTip(self.tr("Play the sound of the selected episode (Enter)"))

    @Slot()
    def _on_alerts_changed(self) -> None:
        self._is_stale = True
        if self.isVisible() and not self._is_announcing:
            self._soon_timer.start()

    @Slot()
    def _on_refresh_due(self) -> None:
        self.refresh()

    @Slot(str)
    def _on_playback_changed(self, path: str) -> None:
        self.alerts_model.set_playing(path)
        self._show_play_button()

    @Slot(QListWidgetItem, QListWidgetItem)
    def _on_night_changed(self, current: QListWidgetItem | None, previous: QListWidgetItem | None) -> None:
        if current is not None:
            self._began = current.data(Qt.ItemDataRole.UserRole)
            newest_first = self._began == _ALL
            order = Qt.SortOrder.DescendingOrder if newest_first else Qt.SortOrder.AscendingOrder
            self.alerts_view.sortByColumn(AlertColumn.BEGAN, order)
            self.refresh()

    @Slot(object)
    def _on_alert_selected(self, alert: Episode) -> None:
        if not alert.is_near_miss:
            self.timeline_view.select_alert(alert.id)
        self._show_buttons()

    @Slot(object)
    def _on_marked(self, episode: Episode) -> None:
        """Show the review at once, keep the selection, and announce the change to whoever else shows alerts."""
        self.alerts_model.replace_episode(episode)
        self.alerts_view.select_episode(episode.key)
        try:
            self._show_precision()
        except HistoryError as error:
            self.complained.emit(str(error))
        self._show_episodes_or_note()
        self._is_announcing = True
        self._monitor.alerts_changed.emit()
        self._is_announcing = False

    @Slot(object)
    def _on_play_requested(self, alert: Episode) -> None:
        self.alerts_model.toggle_playing(alert, self._monitor)

    @Slot()
    def _on_play_clicked(self) -> None:
        alert = self.alerts_view.selected_alert()
        if alert is not None:
            self._on_play_requested(alert)

    @Slot(int)
    def _on_kind_changed(self, index: int) -> None:
        self.alerts_filter.set_kind(self.kind_box.itemData(index))
        self._show_episodes_or_note()

    @Slot(str)
    def _on_search_changed(self, text: str) -> None:
        self.alerts_filter.set_search(text)
        self._show_episodes_or_note()

    @Slot()
    def _on_export_clicked(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, self.tr("Export"), "alerts.csv", self.tr("Table (*.csv);;JSON (*.json);;Page to print (*.html)")
        )
        if path:
            self.export_to(Path(path))

    def export_to(self, path: Path) -> None:
        """Write the episodes that the table lists."""
        if not path.suffix:
            path = path.with_suffix(".csv")
        try:
            write_alerts(path, self.alerts_filter.shown(), self._precision)
        except OSError as error:
            reason = error.strerror or str(error)
            self.complained.emit(self.tr("{path} could not be written: {reason}.").format(path=path, reason=reason))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()
        self._refresh_timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._refresh_timer.stop()
