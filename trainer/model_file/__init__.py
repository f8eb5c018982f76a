"""Writing, combining and converting model files."""
