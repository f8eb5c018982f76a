"""The trainer: data, networks, fitting, evaluation, export. Uses babymonitor.core and nothing else of the app."""
