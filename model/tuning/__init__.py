"""What a tuning tries, on which sessions, and how one trial is judged."""
