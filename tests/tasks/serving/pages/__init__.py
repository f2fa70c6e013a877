"""Tests of tasks/serving/pages."""
