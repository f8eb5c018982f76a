"""Curves: loss and balanced accuracy while a model is trained, and the ROC of two models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from babymonitor.ui.parts.theme import LIGHT, Theme


class CurvePlot(pg.PlotWidget):
    """A plain plot in the theme's colours: no menu, no dragging, a wheel that leaves the page alone."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=None)
        self._theme = LIGHT
        self._title = title
        self._curves: list[tuple[Any, str, Qt.PenStyle]] = []
        self.setMenuEnabled(False)
        self.setMouseEnabled(False, False)
        self.hideButtons()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(title)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(120)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def add_curve(self, role: str, style: Qt.PenStyle = Qt.PenStyle.SolidLine, with_points: bool = False) -> Any:
        """A curve in one of the theme's colours, by the name of its field."""
        curve = self.plot([], [], symbol="o" if with_points else None, symbolSize=5)
        self._curves.append((curve, role, style))
        return curve

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        c = theme.colours
        self.setBackground(QColor(c.surface))
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(QColor(c.line))
            axis.setTextPen(QColor(c.muted))
        self.setTitle(self._title, color=c.muted, size=f"{theme.text_px - 2}px")
        for curve, role, style in self._curves:
            colour = QColor(getattr(c, role))
            pen = QPen(colour, 2.0)
            pen.setCosmetic(True)
            pen.setStyle(style)
            curve.setPen(pen)
            curve.setSymbolBrush(colour)
            curve.setSymbolPen(None)


class ProgressPlot(QWidget):
    """Loss and balanced accuracy by epoch, each on a scale of its own."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._epochs: list[int] = []
        self._losses: list[float] = []
        self._accuracies: list[float] = []
        self.loss_plot = CurvePlot(self.tr("Loss (lower is better)"), self)
        self.accuracy_plot = CurvePlot(self.tr("Balanced accuracy, % (higher is better)"), self)
        self._loss = self.loss_plot.add_curve("text", with_points=True)
        self._accuracy = self.accuracy_plot.add_curve("accent", with_points=True)
        self.accuracy_plot.setYRange(0, 100, padding=0.02)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self.loss_plot)
        row.addWidget(self.accuracy_plot)

    @property
    def count(self) -> int:
        """How many epochs are shown."""
        return len(self._epochs)

    def set_theme(self, theme: Theme) -> None:
        self.loss_plot.set_theme(theme)
        self.accuracy_plot.set_theme(theme)

    def clear(self, epochs: int = 1) -> None:
        """Begin anew, with room for so many epochs."""
        self._epochs, self._losses, self._accuracies = [], [], []
        self._loss.setData([], [])
        self._accuracy.setData([], [])
        self.set_epochs(epochs)

    def set_epochs(self, epochs: int) -> None:
        for plot in (self.loss_plot, self.accuracy_plot):
            plot.setXRange(1, max(2, epochs), padding=0.03)

    def add_epoch(self, epoch: int, loss: float, balanced_accuracy: float) -> None:
        """One more epoch; balanced_accuracy: in [0, 1]."""
        self._epochs.append(epoch)
        self._losses.append(loss)
        self._accuracies.append(100 * balanced_accuracy)
        self._loss.setData(self._epochs, self._losses)
        self._accuracy.setData(self._epochs, self._accuracies)
        words = self.tr("epoch {n}: loss {loss}, balanced accuracy {share} %")
        self.setAccessibleDescription(words.format(n=epoch, loss=f"{loss:.3f}", share=round(100 * balanced_accuracy)))


class RocPlot(QWidget):
    """Cries found against other clips raised, at every threshold: a line for the new model, dashes for the old."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = CurvePlot(self.tr("Cries found (%) against other sounds raised (%)"), self)
        self._old = self.plot.add_curve("muted", Qt.PenStyle.DashLine)
        self._new = self.plot.add_curve("accent")
        self.plot.setXRange(0, 100, padding=0.02)
        self.plot.setYRange(0, 100, padding=0.02)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.plot)

    def set_theme(self, theme: Theme) -> None:
        self.plot.set_theme(theme)

    def set_curves(self, old: Sequence[Sequence[float]], new: Sequence[Sequence[float]]) -> None:
        """Rows of (false positive rate, true positive rate), in [0, 1]."""
        for curve, rows in ((self._old, old), (self._new, new)):
            curve.setData([100 * row[0] for row in rows], [100 * row[1] for row in rows])
