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

# With two threads an epoch of a network as small as the tutorial's takes a fifth longer, and parallel processes slow
# each other down. TensorFlow reads these when it starts.
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}

# Variables that change the last digits of a fit: the instructions, compilers and numbers of threads that compute it.
SWITCHES = (
    *("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "TF_XLA_FLAGS", "XLA_FLAGS"),
    *("TF_DETERMINISTIC_OPS", *ONE_THREAD),
)

# A backend takes almost all of a GPU's memory at its start, unless it is told to take what it needs: then several
# processes can share one. For TensorFlow and for JAX; a user may have set them.
MEMORY_GROWTH = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}

# Two settings of glibc, each with name, number and value in bytes: how much free memory at the end of its heap it
# keeps, and from which size on a freed block goes back to the system at once. For the second, glibc accepts at most 32
# MiB.
MEMORY = (("MALLOC_TRIM_THRESHOLD_", -1, 1 << 30), ("MALLOC_MMAP_THRESHOLD_", -3, 32 << 20))


def load_backend() -> str:
    """Import Keras and prepare its backend (seconds, the first time); return the backend's name."""
    keep_freed_memory()
    for name, value in MEMORY_GROWTH.items():
        os.environ.setdefault(name, value)
    with without_messages():
        import keras

        keras.ops.zeros(1)  # makes TensorFlow look for devices, about which it writes messages, too
    return str(keras.backend.backend())


def prepare_fitting() -> None:
    """Load Keras and its backend for fits whose digits do not depend on how many of them run at the same time."""
    # Whatever is set for a training by itself.
    os.environ.update(ONE_THREAD)
    load_backend()
    # Every fit is of a new network, which TensorFlow takes for a mistake and warns of.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def switches() -> dict[str, str]:
    """The environment variables that change what a fit computes, as far as they are set: name -> value."""
    return {name: os.environ[name] for name in SWITCHES if os.environ.get(name)}


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees; only with glibc, and where the user has not configured that.

    Each step of a fit takes and frees the same megabytes. Without this, about half of the processes gave them back to
    the system each time and waited for new pages, tens of thousands per epoch (docs/performance.md).
    """
    choose = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if choose is None or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    for name, number, value in MEMORY:
        if name not in os.environ:
            choose(number, value)


@contextmanager
def without_messages() -> Iterator[None]:
    """Hold back this process's standard error, native code's too; at the end, pass on all but TensorFlow's messages."""
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
