"""Keras and the backend it runs on, loaded without TensorFlow's talk."""

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


def load_backend() -> str:
    """Import Keras and make its backend ready, which takes seconds the first time; the backend's name."""
    with without_talk():
        import keras

        keras.ops.zeros(1)  # finds the devices, which TensorFlow speaks of, too
    return str(keras.backend.backend())


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
