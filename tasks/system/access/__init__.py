"""Access to the servers that this product starts: the secret, its keys, the guard, and which servers are ours."""
