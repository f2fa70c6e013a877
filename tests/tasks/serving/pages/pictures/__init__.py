"""Tests of tasks/serving/pages/pictures."""
