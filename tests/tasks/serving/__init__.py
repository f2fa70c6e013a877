"""Tests of tasks/serving."""
