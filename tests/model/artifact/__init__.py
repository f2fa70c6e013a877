"""Tests of model/artifact."""
