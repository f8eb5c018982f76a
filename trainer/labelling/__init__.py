"""Finding out which parts of a weakly labelled recording are crying."""
