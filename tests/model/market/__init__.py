"""Tests of model/market."""
