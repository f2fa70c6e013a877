"""Tests of tasks/prices."""
