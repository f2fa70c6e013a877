"""Registered models in MLflow: versions, stages, their history, and the gate before Production."""
