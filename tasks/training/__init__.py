"""One training's MLflow run: from what it starts, what it logs, what makes it the same as another."""
