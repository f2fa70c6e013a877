"""Reads files of prices in many layouts, recognised by their content, and joins them to one series."""
