"""A table of alerts whose clips play at a click or Enter."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from babymonitor.core.history.review import Episode
from babymonitor.ui.parts.alerts_model import ALERT_ROLE, AlertColumn, AlertsFilter, AlertsModel
from babymonitor.ui.parts.theme import current_theme, follow_theme

_LEAST_REASON_EM, _REASON_EM = 5.5, 12.0
_MOST_SPARE_EM = 8.0
"""How much wider the review's column may become once the reason has all it needs."""


class AlertsView(QTableView):
    """Rows without a grid. A click or Enter on an alert that has a clip asks to play it."""

    play_requested = Signal(object)
    """The Episode whose clip is to be played, or to be ended if it plays."""
    alert_selected = Signal(object)
    """The Episode that is selected now."""

    def __init__(self, model: AlertsModel | AlertsFilter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(isinstance(model, AlertsFilter))
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(AlertColumn.REASON, QHeaderView.ResizeMode.Stretch)
        self.setSortingEnabled(isinstance(model, AlertsFilter))
        self.setAccessibleName(self.tr("Alerts"))
        self.setAccessibleDescription(self.tr("Enter plays the sound of the selected alert."))
        self.clicked.connect(self._on_clicked)
        self.selectionModel().currentRowChanged.connect(self._on_current_row_changed)
        follow_theme(self.fit_columns)

    @Slot()
    def fit_columns(self) -> None:
        """Set row height and column widths for the size of the text, and for times with or without a day."""
        px = current_theme().text_px
        self.verticalHeader().setDefaultSectionSize(round(px * 2.3))
        model = self.model()
        source = model.sourceModel() if isinstance(model, AlertsFilter) else model
        with_day = isinstance(source, AlertsModel) and source.with_day
        widths = {
            AlertColumn.BEGAN: 11 if with_day else 6.5,
            AlertColumn.LENGTH: 6.5 if with_day else 6.8,
            AlertColumn.KIND: 6.7 if isinstance(model, AlertsFilter) else 5.2,
            AlertColumn.LOUDEST: 5.4,
            AlertColumn.CLIP: 5.4,
            AlertColumn.VERDICT: 8.6 if with_day else 10.6,
        }
        if isinstance(model, AlertsFilter):
            # In a narrow table loudness gives way to the reason, and then the clip does, which a click still plays.
            room = self.viewport().width() / px - sum(widths.values())
            for column in (AlertColumn.LOUDEST, AlertColumn.CLIP):
                is_narrow = room < _LEAST_REASON_EM
                self.setColumnHidden(column, is_narrow)
                room += widths[column] if is_narrow else 0.0
            widths[AlertColumn.VERDICT] += min(_MOST_SPARE_EM, max(0.0, room - _REASON_EM))
        for column, ems in widths.items():
            self.setColumnWidth(column, round(ems * px))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit_columns()

    def selected_alert(self) -> Episode | None:
        """Return the selected episode."""
        index = self.currentIndex()
        return index.data(ALERT_ROLE) if index.isValid() else None

    @Slot(int)
    def select_alert(self, id: int) -> None:
        """Select the alert with this id, if it is listed."""
        self.select_episode(f"alert:{id}")

    def select_episode(self, key: str) -> None:
        """Select the episode with this key, if it is listed."""
        for row in range(self.model().rowCount()):
            index = self.model().index(row, 0)
            if index.data(ALERT_ROLE).key == key:
                self.setCurrentIndex(index)
                self.scrollTo(index)
                return

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self._request(self.currentIndex())
            return
        super().keyPressEvent(event)

    @Slot(QModelIndex)
    def _on_clicked(self, index: QModelIndex) -> None:
        self._request(index)

    def _request(self, index: QModelIndex) -> None:
        episode: Episode = index.data(ALERT_ROLE)
        if episode.clip is not None:
            self.play_requested.emit(episode)

    @Slot(QModelIndex, QModelIndex)
    def _on_current_row_changed(self, current: QModelIndex, previous: QModelIndex) -> None:
        if current.isValid():
            self.alert_selected.emit(current.data(ALERT_ROLE))
