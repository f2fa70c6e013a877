"""Who may ask the servers that this product starts: a secret of the state directory, the guard, which servers run."""
