from PySide6.QtWidgets import QWidget
from PySide6.QtCore import Signal
class HistoryView(QWidget):
    complained=Signal(str)
    def __init__(self,m,h,p=None): super().__init__(p)
    def set_theme(self,t): pass
