"""Settings, and the addresses in them."""
