"""Who may ask the servers that this product starts: a secret of the state directory, and the guard before a server."""
