"""Tests of tasks/system/access."""
