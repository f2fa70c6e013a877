"""Tests of tasks/backtest."""
