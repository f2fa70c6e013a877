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

# Memory that a program frees goes back to the system when as many bytes of it lie at the end of the heap, and pieces
# from so large a size on at once (glibc's names and numbers; 32 MiB is the most that it takes).
M_TRIM_THRESHOLD, HELD_BYTES = -1, 1 << 30
M_MMAP_THRESHOLD, LARGE_BYTES = -3, 32 << 20


def load_backend() -> str:
    """Import Keras and make its backend ready, which takes seconds the first time; the backend's name."""
    keep_freed_memory()
    with without_talk():
        import keras

        keras.ops.zeros(1)  # finds the devices, which TensorFlow speaks of, too
    return str(keras.backend.backend())


def keep_freed_memory() -> None:
    """Have this process keep what it frees, where its C library (glibc) lets it choose.

    Each step of a fit takes and frees the same megabytes. Left to itself, about every other process gave them back to
    the system each time and waited for fresh pages, tens of thousands an epoch (docs/performance.md).
    """
    choose = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if choose is not None:
        choose(M_TRIM_THRESHOLD, HELD_BYTES)
        choose(M_MMAP_THRESHOLD, LARGE_BYTES)


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
