"""Transforming sound for training: augmentation, codecs and synthesis."""
