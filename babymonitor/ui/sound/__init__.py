"""Sound as a picture: the live plot, whole clips, and the editor."""
