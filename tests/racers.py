"""Processes for tests of races: each one of its own, with MLflow in memory from its beginning.

A server of multiprocessing imports `tests.racing_imports` once, and forks them. A process that imports MLflow by itself
takes two seconds to begin, and these tests start many.
"""

import multiprocessing
from multiprocessing.context import ForkServerContext


def racers() -> ForkServerContext:
    """How such processes, and what they share, are made."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.racing_imports"])
    return context
