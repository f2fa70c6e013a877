"""Prices from outside: asked for, fetched, kept as snapshots, counted."""
