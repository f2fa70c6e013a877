"""Tests of tasks/prices/store."""
