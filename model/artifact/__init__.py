"""The code that is stored inside every registered version: it imports nothing else of this project."""
