"""When: the order, schedule and retries of whole runs; nothing is computed here."""
