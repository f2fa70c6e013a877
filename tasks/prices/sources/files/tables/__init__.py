"""Tables of texts, from files of any kind."""
