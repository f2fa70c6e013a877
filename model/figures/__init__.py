"""Figures, each a function of values, drawn without a screen."""
