"""The smallest window that Python can show, for comparison: `python -m benchmarks.bare_window [--plot]`.

It stays open until it is ended. With --plot it contains an empty pyqtgraph plot.
"""

from __future__ import annotations

import sys

from PySide6.QtWidgets import QApplication, QLabel, QMainWindow, QWidget


def main() -> None:
    app = QApplication(sys.argv)
    window = QMainWindow()
    window.resize(1180, 760)
    window.setCentralWidget(_plot() if "--plot" in sys.argv else QLabel("A window"))
    window.show()
    sys.exit(app.exec())


def _plot() -> QWidget:
    import pyqtgraph

    plot: QWidget = pyqtgraph.PlotWidget()
    return plot


if __name__ == "__main__":
    main()
