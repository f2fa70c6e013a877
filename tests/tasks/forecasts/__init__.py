"""Tests of tasks/forecasts."""
