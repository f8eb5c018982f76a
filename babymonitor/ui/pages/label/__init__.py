"""The Label page: record, import, label, and the library."""
