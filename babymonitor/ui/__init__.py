"""Widgets and pyqtgraph only."""
