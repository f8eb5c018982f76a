"""Data sets on disk: clips, labels, groups, sides and decoded audio."""
