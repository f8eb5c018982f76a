"""The person's labelled clips, stored as a data set."""
