"""The forecaster: scaling, windows, the network's forecasts and their intervals."""
