"""Dask: the processes that carry out fits and the work on several securities, here or on other machines."""
