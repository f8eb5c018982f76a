"""The question before the window is closed while something is under way."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QMessageBox, QWidget


def confirms_closing(parent: QWidget, lost: str, is_listening: bool) -> bool:
    """Ask whether to close. lost: what would end, in sentences. Returns whether the person insists."""
    box = QMessageBox(parent)
    box.setWindowTitle(_tr("Baby Monitor"))
    box.setText(lost)
    words = _tr("Go on listening") if is_listening else _tr("Keep it open")
    keep = box.addButton(words, QMessageBox.ButtonRole.RejectRole)
    close = box.addButton(_tr("Stop and close"), QMessageBox.ButtonRole.AcceptRole)
    # Enter and Esc keep it open: the careless answer is the safe one.
    box.setDefaultButton(keep)
    box.setEscapeButton(keep)
    box.exec()
    return box.clickedButton() is close


def _tr(text: str) -> str:
    return QCoreApplication.translate("MainWindow", text)
