"""Tests of tasks/serving/report."""
