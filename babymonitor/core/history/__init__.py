"""The history of the nights, and what a person said of it."""
