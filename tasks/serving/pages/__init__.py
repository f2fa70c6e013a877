"""The pages for people: the board and a model's page, made from the board in memory and the ledger."""
