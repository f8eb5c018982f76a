"""From a training request to a model file."""
