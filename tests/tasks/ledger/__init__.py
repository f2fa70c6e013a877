"""Tests of tasks/ledger."""
