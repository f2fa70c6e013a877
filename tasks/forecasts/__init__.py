"""Makes forecasts, fills in the prices that came, and scores them."""
