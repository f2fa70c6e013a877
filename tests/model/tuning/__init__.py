"""What a tuning tries, and on which sessions."""
