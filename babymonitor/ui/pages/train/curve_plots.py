"""Curves: loss and balanced accuracy during a training, and the ROC of two models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from babymonitor.ui.parts.theme import current_theme, follow_theme


class CurvePlot(pg.PlotWidget):
    """A plain plot in the theme's colours, without a menu or dragging; it leaves the wheel to the page."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=None)
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
        follow_theme(self._apply_theme)

    def add_curve(self, role: str, style: Qt.PenStyle = Qt.PenStyle.SolidLine, with_points: bool = False) -> Any:
        """Add a curve and return it. role: the name of its colour in `Colours`."""
        curve = self.plot([], [], symbol="o" if with_points else None, symbolSize=5)
        self._curves.append((curve, role, style))
        self._apply_theme()
        return curve

    @Slot()
    def _apply_theme(self) -> None:
        theme = current_theme()
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
    """Loss and balanced accuracy by epoch, each in a plot of its own."""

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

    def clear(self, epochs: int = 1) -> None:
        """Remove all epochs, and leave room for this many."""
        self._epochs, self._losses, self._accuracies = [], [], []
        self._loss.setData([], [])
        self._accuracy.setData([], [])
        self.set_epochs(epochs)

    def set_epochs(self, epochs: int) -> None:
        """Leave room for this many epochs."""
        for plot in (self.loss_plot, self.accuracy_plot):
            plot.setXRange(1, max(2, epochs), padding=0.03)

    def add_epoch(self, epoch: int, loss: float, balanced_accuracy: float) -> None:
        """Add an epoch. balanced_accuracy: in [0, 1]."""
        self._epochs.append(epoch)
        self._losses.append(loss)
        self._accuracies.append(100 * balanced_accuracy)
        self._loss.setData(self._epochs, self._losses)
        self._accuracy.setData(self._epochs, self._accuracies)
        words = self.tr("epoch {n}: loss {loss}, balanced accuracy {share} %")
        self.setAccessibleDescription(words.format(n=epoch, loss=f"{loss:.3f}", share=round(100 * balanced_accuracy)))


class RocPlot(QWidget):
    """The share of cries found against that of other clips raised, at every threshold.

    The new model is a line, the present model dashes.
    """

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

    def set_curves(self, old: Sequence[Sequence[float]], new: Sequence[Sequence[float]]) -> None:
        """Show two curves, each of rows (false positive rate, true positive rate) in [0, 1]."""
        for curve, rows in ((self._old, old), (self._new, new)):
            curve.setData([100 * row[0] for row in rows], [100 * row[1] for row in rows])
