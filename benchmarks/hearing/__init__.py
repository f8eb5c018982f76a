"""How well the monitor hears, beside YAMNet and a 9-second voter, on the same sound in one run: `__main__` tells."""
