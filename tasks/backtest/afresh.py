"""A fit of a backtest, as if it were the first in its process."""

from model.backtest.fit import Assignment, Fitted, run_fit
from tasks.system.keras_backend import prepare_fitting


def fit_afresh(given: Assignment) -> Fitted:
    """Carry out one fit, with nothing left of those before it in this process but a traced step, if it fits."""
    prepare_fitting()
    import keras

    keras.backend.clear_session()
    return run_fit(given)
