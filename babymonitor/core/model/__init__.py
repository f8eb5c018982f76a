"""From sound to probabilities: features, the model file and the detector."""
