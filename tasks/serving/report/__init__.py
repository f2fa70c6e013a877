"""The daily report: the board of a day as one file, in the state directory and in MLflow, and by mail."""
