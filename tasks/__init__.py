"""The edges: each module crosses one boundary of the program."""
