"""Loads Keras and its backend, without TensorFlow's start-up messages."""

import ctypes
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# TensorFlow writes these before it reads the variable that would silence them: 'I0000 00:00:... port.cc:153] ...'
MESSAGES = re.compile(rb"[IWEF]\d{4} \d\d:\d\d:|WARNING: All log messages before absl::InitializeLog")

# With a second thread an epoch of a network as small as the tutorial's is a fifth slower, and processes side by side
# disturb each other. TensorFlow reads these when it starts.
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}

# What else changes the last digits of a fit: which instructions and compilers compute it, and in how many parts.
SWITCHES = (
    *("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "TF_XLA_FLAGS", "XLA_FLAGS"),
    *("TF_DETERMINISTIC_OPS", *ONE_THREAD),
)

# Names, numbers and values of two settings of glibc: how many freed bytes at the end of its heap it keeps, and from
# what size on a piece is given back to the system at once. For the second it accepts no more than 32 MiB.
MEMORY = (("MALLOC_TRIM_THRESHOLD_", -1, 1 << 30), ("MALLOC_MMAP_THRESHOLD_", -3, 32 << 20))


def load_backend() -> str:
    """Import Keras and prepare its backend, which takes seconds the first time; return the backend's name."""
    keep_freed_memory()
    with without_messages():
        import keras

        keras.ops.zeros(1)  # finds the devices, which TensorFlow also writes about
    return str(keras.backend.backend())


def prepare_fitting() -> None:
    """Load Keras and its backend for fits whose digits do not depend on how many of them run at the same time."""
    # Whatever is set for a training by itself.
    os.environ.update(ONE_THREAD)
    load_backend()
    # Every fit is of a new network, which TensorFlow takes for a mistake and warns of.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def switches() -> dict[str, str]:
    """Those of the variables that change what a fit computes, as they are set now."""
    return {name: os.environ[name] for name in SWITCHES if os.environ.get(name)}


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, if its C library is glibc and the user has not configured it.

    Each step of a fit takes and frees the same megabytes. Without this, about half of the processes gave them back to
    the system each time and waited for fresh pages, tens of thousands in an epoch (docs/performance.md).
    """
    choose = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if choose is None or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    for name, number, value in MEMORY:
        if name not in os.environ:
            choose(number, value)


@contextmanager
def without_messages() -> Iterator[None]:
    """Hold back what this process writes to standard error, native code included; then pass on all but the messages."""
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
                if not MESSAGES.match(line):
                    os.write(2, line)
