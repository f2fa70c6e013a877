"""Tests of model/evaluation/evidence."""
