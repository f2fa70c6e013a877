"""How many processes can work at the same time."""

import os

from tasks.system.cluster.gpus import usable_gpus


def usable_processors() -> int:
    """The number of processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processes_to_fit() -> int:
    """How many processes fit at the same time: one for each GPU, or where there is none, for each processor."""
    return len(usable_gpus()) or usable_processors()
