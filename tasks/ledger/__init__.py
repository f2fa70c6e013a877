"""The ledger: every forecast ever made, and what happened."""
