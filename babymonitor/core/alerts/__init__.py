"""From scores to alerts, and whether the monitor is really listening."""
