"""The running monitor: microphone, threads and alarm. QtCore at most, no widgets."""
