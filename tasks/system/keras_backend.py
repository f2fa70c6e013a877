"""Keras and the backend it runs on, loaded without TensorFlow's talk."""

import ctypes
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# TensorFlow writes these before it reads the variable that would silence them: 'I0000 00:00:... port.cc:153] ...'
TALK = re.compile(rb"[IWEF]\d{4} \d\d:\d\d:|WARNING: All log messages before absl::InitializeLog")

# A second thread makes an epoch of a network as small as the tutorial's a fifth slower, and processes side by side get
# in each other's way with it. Read by TensorFlow when it starts.
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}

# Names, numbers and values of glibc's: how many freed bytes at the end of its heap it gives back to the system, and
# from what size on a piece goes back by itself. 32 MiB is the most that it takes for the second.
MEMORY = (("MALLOC_TRIM_THRESHOLD_", -1, 1 << 30), ("MALLOC_MMAP_THRESHOLD_", -3, 32 << 20))


def load_backend() -> str:
    """Import Keras and make its backend ready, which takes seconds the first time; the backend's name."""
    keep_freed_memory()
    with without_talk():
        import keras

        keras.ops.zeros(1)  # finds the devices, which TensorFlow speaks of, too
    return str(keras.backend.backend())


def keep_freed_memory() -> None:
    """Have this process keep what it frees, where its C library (glibc) can be told to and the user has not told it.

    Each step of a fit takes and frees the same megabytes. Left to itself, about half of the processes gave them back to
    the system each time and waited for fresh pages, tens of thousands an epoch (docs/performance.md).
    """
    choose = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if choose is None or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    for name, number, value in MEMORY:
        if name not in os.environ:
            choose(number, value)


@contextmanager
def without_talk() -> Iterator[None]:
    """Hold back what is written to standard error, native code's writing too, and let through all but the talk."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            for line in held:
                if not TALK.match(line):
                    os.write(2, line)
