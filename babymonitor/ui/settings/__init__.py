"""The settings dialog and the sensitivity slider."""
