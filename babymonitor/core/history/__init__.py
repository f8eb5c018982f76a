"""The history of the nights, and the person's verdicts on it."""
