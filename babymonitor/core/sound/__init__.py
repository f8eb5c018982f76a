"""Sound: the ring buffer, files, resampling and levels."""
