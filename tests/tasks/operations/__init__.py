"""Tests of tasks/operations."""
