"""Episodes as rows of a table: the model of the recent alerts and of the nights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QCoreApplication,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)

from babymonitor.core import paths
from babymonitor.core.history.history import RIGHT, UNSURE, WRONG, AlertRow
from babymonitor.core.history.review import NEAR_MISS, Episode
from babymonitor.core.labels import UNCLEAR
from babymonitor.core.model.sounds import worth_telling
from babymonitor.live.monitor import Monitor
from babymonitor.ui.parts.wording import (
    clock_text,
    day_text,
    duration_text,
    kind_title,
    label_title,
    level_text,
    percent_text,
    reason_hint,
    small_first,
    sound_title,
    top_reason,
)

_Index = QModelIndex | QPersistentModelIndex


class AlertColumn(IntEnum):
    """The columns of the table of alerts, in order."""

    BEGAN = 0
    LENGTH = 1
    KIND = 2
    LOUDEST = 3
    REASON = 4
    CLIP = 5
    VERDICT = 6


_MOST_NAMES = 2
"""Of the sounds in a near miss, so many are named."""
ALERT_ROLE = Qt.ItemDataRole.UserRole


def clip_path(alert: AlertRow | Episode) -> Path | None:
    """Return the file of an alert's clip; None if no sound was kept."""
    return None if alert.clip is None else paths.clips_folder() / alert.clip


def duration_seconds(alert: AlertRow | Episode) -> float | None:
    """Return how long an alert lasted; None while it goes on."""
    return None if alert.ended is None else max(0.0, alert.ended - alert.began)


class AlertsModel(QAbstractTableModel):
    """All rows are replaced at once, by `set_alerts` or `set_episodes`."""

    def __init__(self, parent: QObject | None = None, with_day: bool = False, with_reviews: bool = False) -> None:
        super().__init__(parent)
        # The recent alerts are not reviewed where they are listed.
        self._column_count = len(AlertColumn) if with_reviews else int(AlertColumn.VERDICT)
        self._alerts: list[Episode] = []
        self._playing = ""
        self._order: tuple[AlertColumn, Qt.SortOrder] | None = None
        self.with_day = with_day

    @property
    def alerts(self) -> list[Episode]:
        """The rows, as they are sorted."""
        return self._alerts

    def set_alerts(self, alerts: Sequence[AlertRow]) -> None:
        """Do as `set_episodes` for alerts alone, without their reviews."""
        self.set_episodes([Episode.of_alert(alert) for alert in alerts])

    def set_episodes(self, alerts: Sequence[Episode]) -> None:
        """Replace all rows. The selection stays if only values changed (a clip was saved, an alert ended)."""
        alerts = self._sorted(alerts)
        if [alert.key for alert in alerts] == [alert.key for alert in self._alerts]:
            changed = [row for row, pair in enumerate(zip(alerts, self._alerts, strict=True)) if pair[0] != pair[1]]
            self._alerts = alerts
            for row in changed:
                self.dataChanged.emit(self.index(row, 0), self.index(row, self._column_count - 1))
            return
        self.beginResetModel()
        self._alerts = alerts
        self.endResetModel()

    def replace_episode(self, episode: Episode) -> None:
        """Replace one row by its newer value, such as after a review."""
        for row, alert in enumerate(self._alerts):
            if alert.key == episode.key:
                self._alerts[row] = episode
                self.dataChanged.emit(self.index(row, 0), self.index(row, self._column_count - 1))
                return

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort the rows now and from now on. What is selected stays selected."""
        self._order = AlertColumn(column), order
        self.layoutAboutToBeChanged.emit()
        indexes = self.persistentIndexList()
        chosen = [self._alerts[index.row()].key for index in indexes]
        self._alerts = self._sorted(self._alerts)
        rows = {alert.key: row for row, alert in enumerate(self._alerts)}
        moved = [self.index(rows[key], index.column()) for key, index in zip(chosen, indexes, strict=True)]
        self.changePersistentIndexList(indexes, moved)
        self.layoutChanged.emit()

    def _sorted(self, alerts: Sequence[Episode]) -> list[Episode]:
        if self._order is None:
            return list(alerts)
        column, order = self._order
        # Letting Qt compare row with row took seconds for ten thousand of them.
        keys = {alert.key: _sort_value(alert, column) for alert in alerts}
        return sorted(alerts, key=lambda alert: keys[alert.key], reverse=order is Qt.SortOrder.DescendingOrder)

    def set_playing(self, path: str) -> None:
        """Say which clip is played now, by its path; empty for none."""
        if path != self._playing:
            self._playing = path
            if self._alerts:
                last = self.index(len(self._alerts) - 1, AlertColumn.CLIP)
                self.dataChanged.emit(self.index(0, AlertColumn.CLIP), last)

    def toggle_playing(self, alert: AlertRow | Episode, monitor: Monitor) -> None:
        """Play an alert's clip, or stop it if it is played already."""
        path = clip_path(alert)
        if path is None or self.is_playing(alert):
            monitor.stop_playing()
        else:
            monitor.play(path)

    def is_playing(self, alert: AlertRow | Episode) -> bool:
        """Return whether an alert's clip is played now."""
        return bool(self._playing) and self._playing == str(clip_path(alert))

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._alerts)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else self._column_count

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Vertical:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return _header(AlertColumn(section))

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        alert, column = self._alerts[index.row()], AlertColumn(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(alert, column)
        if role == ALERT_ROLE:
            return alert
        if role == Qt.ItemDataRole.AccessibleTextRole and column is AlertColumn.CLIP:
            return self._clip_words(alert)
        if role == Qt.ItemDataRole.AccessibleTextRole and column is AlertColumn.VERDICT:
            return verdict_hint(alert)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(alert, column)
        return None

    def _text(self, alert: Episode, column: AlertColumn) -> str:
        if column is AlertColumn.BEGAN:
            clock = clock_text(alert.began, with_seconds=not self.with_day)
            return f"{day_text(alert.began)}  {clock}" if self.with_day else clock
        if column is AlertColumn.LENGTH:
            lasted = duration_seconds(alert)
            return QCoreApplication.translate("Alerts", "now") if lasted is None else duration_text(lasted)
        if column is AlertColumn.KIND:
            return episode_title(alert.kind)
        if column is AlertColumn.LOUDEST:
            return level_text(alert.peak_db)
        if column is AlertColumn.REASON:
            return maybe_text(alert)
        if column is AlertColumn.VERDICT:
            return verdict_text(alert, is_short=self.with_day)
        return self._clip_words(alert)

    def _clip_words(self, alert: Episode) -> str:
        if alert.clip is None:
            return "–"
        if self.is_playing(alert):
            return "■ " + QCoreApplication.translate("Alerts", "Stop")
        return "▶ " + QCoreApplication.translate("Alerts", "Play")

    def _tip(self, alert: Episode, column: AlertColumn) -> str | None:
        if column is AlertColumn.REASON:
            return " ".join(near_miss_sentences(alert)) or reason_hint(alert.reasons)
        if column is AlertColumn.CLIP and alert.clip is None:
            return QCoreApplication.translate("Alerts", "No sound was kept of this one.")
        if column is AlertColumn.VERDICT:
            return verdict_hint(alert)
        return None


def episode_title(kind: str) -> str:
    """Return the kind of an episode as a person reads it."""
    return QCoreApplication.translate("Alerts", "Near miss") if kind == NEAR_MISS else kind_title(kind)


def maybe_text(episode: Episode) -> str:
    """Return in the form of a table what an episode may have been: why it cried, or the sound of a near miss."""
    name = next(iter(worth_telling(episode.sounds)), None)
    return top_reason(episode.reasons) if name is None else sound_title(name)


def near_miss_sentences(episode: Episode) -> list[str]:
    """Return why a near miss woke nobody, and what it sounded like; nothing where the model named no sounds."""
    if not episode.sounds or episode.threshold is None:
        return []
    # Rounded down: it must not look as high as the threshold.
    highest = percent_text(math.floor(100 * episode.peak_crying) / 100)
    words = QCoreApplication.translate("Alerts", "It did not wake you: {share} crying, but not for long enough.")
    if episode.peak_crying < episode.threshold:
        words = QCoreApplication.translate(
            "Alerts", "It did not wake you: at most {share} crying, and {threshold} wakes you."
        )
    sentences = [words.format(share=highest, threshold=percent_text(episode.threshold))]
    if names := list(worth_telling(episode.sounds))[:_MOST_NAMES]:
        sounds = ", ".join(small_first(sound_title(name)) for name in names)
        sentences.append(QCoreApplication.translate("Alerts", "It sounded like: {sounds}.").format(sounds=sounds))
    return sentences


def verdict_text(episode: Episode, is_short: bool = False) -> str:
    """Return an episode's review as a sign and a word, followed by the label if there is one.

    In short form the label takes the place of the word. A cry without a known reason counts as having no label.
    """
    if episode.verdict is None:
        return "–"
    sign, word = {
        RIGHT: ("✓", QCoreApplication.translate("Alerts", "Right")),
        WRONG: ("✕", QCoreApplication.translate("Alerts", "Wrong")),
        UNSURE: ("?", QCoreApplication.translate("Alerts", "Not sure")),
    }[episode.verdict]
    if not episode.label or (episode.label == UNCLEAR and episode.verdict_for(UNCLEAR) == RIGHT):
        return f"{sign} {word}"
    title = label_title(episode.label)
    return f"{sign} {title}" if is_short else f"{sign} {word}: {small_first(title)}"


def verdict_hint(episode: Episode) -> str:
    """Return what an episode's review means, in a sentence."""
    if episode.verdict is None:
        return QCoreApplication.translate("Alerts", "Not reviewed yet.")
    if episode.verdict == UNSURE:
        return QCoreApplication.translate("Alerts", "You were not sure what it was.")
    if episode.is_near_miss:
        sentences = {
            RIGHT: QCoreApplication.translate("Alerts", "It did not wake you, and was right."),
            WRONG: QCoreApplication.translate("Alerts", "It did not wake you, and should have."),
        }
    else:
        sentences = {
            RIGHT: QCoreApplication.translate("Alerts", "It woke you, and was right."),
            WRONG: QCoreApplication.translate("Alerts", "It woke you for nothing."),
        }
    sentence = sentences[episode.verdict]
    if not episode.label:
        return sentence
    return (
        sentence
        + " "
        + QCoreApplication.translate("Alerts", "It was: {label}").format(label=label_title(episode.label))
    )


def _header(column: AlertColumn) -> str:
    return {
        AlertColumn.BEGAN: QCoreApplication.translate("Alerts", "Began"),
        AlertColumn.LENGTH: QCoreApplication.translate("Alerts", "Length"),
        AlertColumn.KIND: QCoreApplication.translate("Alerts", "Kind"),
        AlertColumn.LOUDEST: QCoreApplication.translate("Alerts", "Loudest"),
        AlertColumn.REASON: QCoreApplication.translate("Alerts", "Maybe"),
        AlertColumn.CLIP: QCoreApplication.translate("Alerts", "Clip"),
        AlertColumn.VERDICT: QCoreApplication.translate("Alerts", "Review"),
    }[column]


def _sort_value(alert: Episode, column: AlertColumn) -> Any:
    """Return what a row is sorted by in a column: a number or words."""
    if column is AlertColumn.BEGAN:
        return alert.began
    if column is AlertColumn.LENGTH:
        lasted = duration_seconds(alert)
        return float("inf") if lasted is None else lasted
    if column is AlertColumn.KIND:
        return alert.kind
    if column is AlertColumn.LOUDEST:
        return alert.peak_db
    if column is AlertColumn.REASON:
        return maybe_text(alert)
    if column is AlertColumn.VERDICT:
        return verdict_text(alert)
    return "" if alert.clip is None else alert.clip


class AlertsFilter(QSortFilterProxyModel):
    """Lets pass the episodes of one kind whose text contains all words of a search."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kind = ""
        self._words: list[str] = []

    def set_kind(self, kind: str) -> None:
        """Choose which episodes pass.

        "": every alert. "all": alerts and near misses. "clip": alerts with sound. "waiting": not reviewed yet. Anything
        else is a kind of `Episode`.
        """
        self.beginFilterChange()
        self._kind = kind
        self.endFilterChange()

    def set_search(self, text: str) -> None:
        """Let pass only episodes whose text contains every word of `text`."""
        self.beginFilterChange()
        self._words = text.lower().split()
        self.endFilterChange()

    def _is_of_kind(self, episode: Episode) -> bool:
        if self._kind == "all":
            return True
        if self._kind == "waiting":
            return episode.verdict is None and episode.ended is not None
        if self._kind in ("", "clip"):
            return not episode.is_near_miss and (self._kind == "" or episode.clip is not None)
        return episode.kind == self._kind

    def filterAcceptsRow(self, source_row: int, source_parent: _Index) -> bool:
        model = self.sourceModel()
        assert isinstance(model, AlertsModel)
        alert = model.alerts[source_row]
        if not self._is_of_kind(alert):
            return False
        if not self._words:
            return True
        parts = (
            episode_title(alert.kind),
            verdict_text(alert),
            clock_text(alert.began, with_seconds=True),
            day_text(alert.began),
        )
        hints = maybe_text(alert), reason_hint(alert.reasons)
        text = " ".join((*parts, *hints, level_text(alert.peak_db))).lower()
        return all(word in text for word in self._words)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort the model; the rows follow its order."""
        self.sourceModel().sort(column, order)

    def shown(self) -> list[Episode]:
        """Return the episodes that pass, as they are sorted."""
        return [self.index(row, 0).data(ALERT_ROLE) for row in range(self.rowCount())]
