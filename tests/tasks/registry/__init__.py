"""Tests of tasks/registry."""
