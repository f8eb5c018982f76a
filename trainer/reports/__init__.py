"""Reports as self-contained HTML pages, with the same figures as JSON."""
