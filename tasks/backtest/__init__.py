"""Backtests and proofs in MLflow: their runs, the report of a backtest, and the proofs that the gate uses."""
