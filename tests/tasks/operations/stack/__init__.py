"""Tests of tasks/operations/stack."""
