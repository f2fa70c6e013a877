"""What a forecast is worth: split, metrics, naive forecasts, the gate, monitoring."""
