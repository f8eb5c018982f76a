"""The ear: the model file that listens, built from a backbone: other sounds, evidence over time, reasons."""
