"""The review of last night, the least certain episode first."""
