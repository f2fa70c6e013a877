"""The recurrent network: how it is built, seeded, and written down for NumPy."""
