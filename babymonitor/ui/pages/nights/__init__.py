"""The Nights page: what happened, night by night."""
