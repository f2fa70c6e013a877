"""Prices as one checked value, the security that they are of, and its exchange's sessions."""
