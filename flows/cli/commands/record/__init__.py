"""The commands that show what is on record, with neither a fit nor Prefect."""
