"""Tests of model/forecaster."""
