"""What the product costs, what its forecasts are worth, and what it survives, measured on the real thing."""
