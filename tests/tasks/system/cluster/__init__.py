"""Tests of tasks/system/cluster."""
