"""Tests of model/figures."""
