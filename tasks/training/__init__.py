"""One training's MLflow run: where it starts from, what it logs, and when it is the same as an earlier one."""
