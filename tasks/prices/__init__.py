"""Prices: requested, fetched from a source, kept as snapshots."""
