"""The sources of prices: Yahoo, files, the sample market."""
