"""The newest forecast in figures: one session as a small picture, and several sessions as a cone."""
