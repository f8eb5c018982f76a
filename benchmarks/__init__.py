"""What the project claims about speed, as commands; see README.md here."""
