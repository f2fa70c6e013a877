"""Tests of tasks/tracking."""
