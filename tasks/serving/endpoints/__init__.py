"""What programs ask for: the models, their forecasts, the versions in Production, the figures, and the errors."""
