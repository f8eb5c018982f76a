"""Commands that measure what the project claims about speed; see README.md here."""
