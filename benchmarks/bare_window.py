"""The least that a window in Python can cost, as a peer of ours: `python -m benchmarks.bare_window [--plot]`.

Prints the Unix time at which it was shown, and stays until it is ended. With --plot a pyqtgraph plot is in it.
"""

from __future__ import annotations

import sys
import time

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow, QWidget


def main() -> None:
    app = QApplication(sys.argv)
    window = QMainWindow()
    window.resize(1180, 760)
    window.setCentralWidget(_plot() if "--plot" in sys.argv else QLabel("A window"))
    window.show()
    QTimer.singleShot(0, lambda: print(time.time(), flush=True))
    sys.exit(app.exec())


def _plot() -> QWidget:
    import pyqtgraph

    plot: QWidget = pyqtgraph.PlotWidget()
    return plot


if __name__ == "__main__":
    main()
