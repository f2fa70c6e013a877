"""Makes forecasts, fills in the actual prices, and scores them."""
