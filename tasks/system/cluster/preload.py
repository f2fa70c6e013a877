"""What each process of a local cluster does first: it leaves standard output to the process that started it.

It looks for garbage as rarely as that process does. Where there are graphics processors, it sees one of them.
"""

import os
from typing import TYPE_CHECKING

from tasks.system.cluster.garbage import collect_rarely
from tasks.system.cluster.gpus import see_one

if TYPE_CHECKING:
    from distributed import Worker


def dask_setup(worker: "Worker") -> None:
    """Called by Dask before the process takes its first task."""
    os.dup2(2, 1)
    collect_rarely()
    see_one(int(worker.name))  # one that replaces another has its name
