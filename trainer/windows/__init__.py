"""Drawing windows of sound to train on and to judge by."""
