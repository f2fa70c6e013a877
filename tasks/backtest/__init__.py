"""One backtest in MLflow: its runs, its report, and the evidence that the gate reads from it."""
