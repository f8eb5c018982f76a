"""Baby Monitor: listens at the crib, says how the baby sounds and wakes whoever should be woken."""

__version__ = "0.1.0"
