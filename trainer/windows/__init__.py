"""Drawing windows of sound for training, and cutting them for evaluation."""
