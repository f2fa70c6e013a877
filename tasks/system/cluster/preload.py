"""What each process of a local cluster does first: it leaves standard output to the process that started it."""

import os


def dask_setup(_worker: object) -> None:
    """Called by Dask before the process takes its first task."""
    os.dup2(2, 1)
