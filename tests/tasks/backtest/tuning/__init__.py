"""A study, and the preset that comes of it."""
