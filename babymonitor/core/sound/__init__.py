"""Sound itself: the ring buffer, files, resampling and levels."""
