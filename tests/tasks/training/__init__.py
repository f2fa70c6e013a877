"""Tests of tasks/training."""
