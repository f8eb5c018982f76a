"""Storing what the monitor heard: the night, clips, near misses and recordings."""
