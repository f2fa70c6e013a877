"""Tests of model/backtest."""
