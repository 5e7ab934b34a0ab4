"""Which actions do the same in which game."""
