"""Prices: resolves requests, fetches from a source, and keeps snapshots."""
