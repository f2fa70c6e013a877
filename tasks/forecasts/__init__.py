"""Forecasts made, filled in with what happened, and scored."""
