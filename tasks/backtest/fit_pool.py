"""The fits of a backtest, in worker processes: each fit has one thread, and no state of the fits before it."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from model.backtest.fit import Assignment, Fitted, run_fit
from tasks.system.keras_backend import ONE_THREAD, load_backend
from tasks.system.process_pool import Workers

_at_hand: ContextVar[Workers[Assignment, Fitted] | None] = ContextVar("workers at hand", default=None)


@contextmanager
def fitting_workers(jobs: int | None = None) -> Iterator[Workers[Assignment, Fitted]]:
    """Worker processes for fits: `jobs` of them, by default one per usable processor.

    A nested call gives the workers of the outer block. So one outer block can serve all securities, and its workers
    load Keras while this process loads Prefect and MLflow.
    """
    already = _at_hand.get()
    if already is not None:
        yield already
        return
    with Workers(jobs or usable_processors(), fit_afresh, prepare_fitting) as workers:
        token = _at_hand.set(workers)
        try:
            yield workers
        finally:
            _at_hand.reset(token)


def usable_processors() -> int:
    """The number of processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare_fitting() -> None:
    """Load Keras and its backend, once per process."""
    # Whatever the user has set: the results must not depend on the number of processes.
    os.environ.update(ONE_THREAD)
    load_backend()
    # Each fit traces a new network, at which TensorFlow warns.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def fit_afresh(given: Assignment) -> Fitted:
    """Carry out one fit; of earlier fits in this process only a traced training step is reused, if it fits."""
    import keras

    keras.backend.clear_session()
    return run_fit(given)
