"""What a user would pick instead, on the sessions of docs/evidence.md: `python -m benchmarks.peers`."""
