"""Tests of tasks/system."""
