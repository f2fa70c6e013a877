"""The commands that show, compare and make configurations."""
