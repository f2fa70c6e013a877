"""The proof of skill: an e-process over the sessions of a backtest, and what it says of a configuration."""
