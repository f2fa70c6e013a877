"""One trial, by a worker or by this process: ended early where Optuna's median pruner says so."""

from collections.abc import Callable
from dataclasses import dataclass

from model.config import ForecasterConfig
from model.evaluation.split import Split
from model.tuning.trial import TrialResult, run_trial
from tasks.system.keras_backend import prepare_fitting

# A trial is ended early after this many epochs at the soonest, and where so many others have done better by then.
EPOCHS, OTHERS = 3, 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialAssignment:
    """A configuration to try.

    others: the losses on the windows held back of the trials in earlier batches
    """

    split: Split
    config: ForecasterConfig
    others: tuple[tuple[float, ...], ...]


def try_configuration(given: TrialAssignment) -> TrialResult:
    """Carry out one trial, with nothing left of those before it in this process."""
    prepare_fitting()
    import keras

    keras.backend.clear_session()
    return run_trial(given.split, given.config, _hopeless(given.others))


def _hopeless(others: tuple[tuple[float, ...], ...]) -> Callable[[int, float], bool]:
    """Whether a trial is worse than the median of the others by an epoch."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=OTHERS, n_warmup_steps=EPOCHS))
    # Without patience no windows are held back, so some of the others may have no losses there. The pruner compares
    # these alone, not the value, which may not be NaN.
    for losses in filter(None, others):
        known = dict(enumerate(losses, 1))
        study.add_trial(optuna.trial.create_trial(value=0.0, intermediate_values=known))
    trial = study.ask()

    def hopeless(epoch: int, loss: float) -> bool:
        trial.report(loss, epoch)
        return bool(trial.should_prune())

    return hopeless
