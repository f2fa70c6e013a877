"""Tuning: its study in the state directory, its trials, its runs in MLflow, and the preset that comes of it."""
