"""The monitor's domain: sound, features, models, alerts, history, library. No Qt, no sound card, no network."""
