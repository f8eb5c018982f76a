"""What the monitor knows: sound, features, the model, alerts, history. No Qt, no sound card, no network."""
