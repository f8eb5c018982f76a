"""The Monitor page: state, live sound, bars and recent alerts."""
