"""One file for each command: its options, its call, its JSON and its text."""
