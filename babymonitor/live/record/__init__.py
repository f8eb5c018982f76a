"""What is kept of what was heard: the night, clips, near misses and recordings."""
