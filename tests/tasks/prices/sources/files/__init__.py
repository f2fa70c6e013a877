"""Tests of tasks/prices/sources."""
