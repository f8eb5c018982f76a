"""The running monitor: microphone, threads, alarm. QtCore at most, no widgets."""
