"""Backtests, which train and forecast at many past dates: plan, fits, result, report."""
