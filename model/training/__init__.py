"""Fitting the network to the training part."""
