"""What happens to sound on its way to a microphone, and sounds made from nothing."""
