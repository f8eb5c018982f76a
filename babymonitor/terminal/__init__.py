"""The monitor without a window: one module a command."""
