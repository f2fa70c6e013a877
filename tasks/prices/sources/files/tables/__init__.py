"""Reads tables of texts from files of any kind."""
