"""What travels inside every registered version: it imports nothing of ours."""
