"""Files of prices as people have them: recognised by what is in them, and joined to one series."""
