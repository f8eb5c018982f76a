"""The person's own labelled clips, as a data set on disk."""
