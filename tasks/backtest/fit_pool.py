"""The fits of a backtest, in processes of their own: each one alone with its thread, and as if it were the first."""

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
    """Processes that carry out fits: as many as are asked for, else one for each processor that we may use.

    Within a block of it, it gives that block's: they load Keras while others are still loading Prefect and MLflow,
    and once for all securities.
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
    """Load Keras and its backend, once in a process."""
    # Whatever is set for a training by itself: the digits are not to depend on how many processes there are.
    os.environ.update(ONE_THREAD)
    load_backend()
    # Every fit is of a new network, which TensorFlow takes for a mistake and warns of.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def fit_afresh(given: Assignment) -> Fitted:
    """Carry out one fit, with nothing left of those before it in this process but a traced step, if it fits."""
    import keras

    keras.backend.clear_session()
    return run_fit(given)
