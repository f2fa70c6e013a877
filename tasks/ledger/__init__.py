"""The ledger: the record of all forecasts and their outcomes, of stage changes, trials and digests."""
