"""A shared network: fitted on the sessions of many securities at once, for each of which it then forecasts.

Its inputs and its outputs are in scales, so a window looks alike whichever security it is of. An epoch is fitted on
windows that are drawn anew from all of them: there are more than one epoch has any use for (docs/shared.md).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np

from model.artifact.market_state import StateBranch
from model.artifact.scale import PRICES
from model.config import ForecasterConfig, TrainingConfig
from model.forecaster.forecaster import LossCourse
from model.forecaster.windows import Windows
from model.market.prices import Prices
from model.network.kept import Weights, fresh_network
from model.training.epochs import OUTPUTS, begin
from model.training.fit_distribution import fit_epochs
from model.training.objective import Pinball, fit_branch
from model.training.pool import Pool, Rows

# Windows in an epoch, those held back that an epoch is judged on, and those that the linear branch is fitted on, at
# most. More of them teach nothing.
PER_EPOCH, JUDGED, FOR_BRANCH = 16384, 4096, 20000
# The fewest windows that a shared network is fitted on.
LEAST = 100
FEATURES = len(PRICES) + 1

OnEpoch = Callable[[int, float], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SharedFit:
    """A shared network as it was fitted on the sessions before a day.

    before:  it knows no session of that day, or of a later one
    branch:  the linear branch that goes with it
    weights: of each of its networks, in Keras's order
    courses: how the loss of each went
    windows: how many there were, those held back among them
    """

    before: date
    branch: StateBranch
    weights: tuple[Weights, ...]
    courses: tuple[LossCourse, ...]
    windows: int

    def refusal(self, train: Prices) -> str | None:
        """Why it may not forecast after these prices; None if it may.

        It has to know less than their newest session: another exchange's session of that day may have closed later.
        """
        if self.before <= train.last:
            return None
        return f"it was fitted on sessions before {self.before}, and these prices end on {train.last}"


def shared_configuration(config: ForecasterConfig) -> ForecasterConfig:
    """What a shared network depends on: the configuration without its name, its seed, and how the network is used.

    Further horizons are fitted on each security without a network.
    """
    usual = TrainingConfig()
    aside = {name: getattr(usual, name) for name in ("seed", "warm_start", "cold_start_every", "shared_network")}
    training = config.training.model_copy(update={**aside, "shared": "own"})
    return config.model_copy(update={"preset": "shared", "shrinkage": 1.0, "horizon": (1,), "training": training})


def cutoff_of(last: date) -> date:
    """The first of January before which the shared network ends that forecasts the sessions after a day."""
    return date(last.year, 1, 1)


def fit_shared(pool: Pool, config: ForecasterConfig, before: date, report: OnEpoch = lambda *_: None) -> SharedFit:
    """Fit on the windows of a pool before a day; ValueError where there are fewer than LEAST.

    report: called after each epoch with its number, from 1 through all networks, and its mean loss
    """
    training, known = config.training, pool.before(before)
    if len(known) < LEAST:
        raise ValueError(f"{len(known)} windows before {before}, and a shared network needs at least {LEAST}")
    n = _fitted_on(known, training)
    chance = np.random.default_rng(training.seeds[0])
    some = known.chosen(_drawn(chance, n, FOR_BRANCH))
    branch, loss = fit_branch(some.state.astype(np.float64), some.targets), Pinball.of(some.targets)
    judged = n + np.sort(_drawn(chance, len(known) - n, JUDGED))
    weights: list[Weights] = []
    courses: list[LossCourse] = []
    for seed in training.seeds:
        tell = partial(_tell, report, sum(len(course.training) for course in courses))
        fitted = _fit_one(known, n, judged, branch, loss, config, seed, tell)
        weights.append(fitted[0])
        courses.append(fitted[1])
    return SharedFit(before=before, branch=branch, weights=tuple(weights), courses=tuple(courses), windows=len(known))


def _fit_one(
    known: Pool,
    n: int,
    judged: Rows,
    branch: StateBranch,
    loss: Pinball,
    config: ForecasterConfig,
    seed: int,
    report: OnEpoch,
) -> tuple[Weights, LossCourse]:
    """One network, fitted on the oldest n windows and judged on others; its weights, and how its loss went."""
    training, order = config.training, np.random.default_rng(seed)
    network, draws = fresh_network(config.network, config.lookback, FEATURES, OUTPUTS, seed)
    epochs = begin(network, _windows(known, _drawn(order, n, PER_EPOCH), branch), training, draws, loss)

    def losses() -> Iterator[float]:
        for _ in range(training.epochs):
            drawn = _drawn(order, n, PER_EPOCH)
            epochs.give(_windows(known, drawn, branch))
            yield epochs.run(np.arange(len(drawn)))

    def judge() -> float:
        epochs.give(_windows(known, judged, branch))
        return epochs.judge(0)

    course = fit_epochs(network, losses(), judge if len(judged) else None, epochs.weights, training.patience, report)
    epochs.end()
    return tuple(network.get_weights()), course


def _windows(known: Pool, rows: Rows, branch: StateBranch) -> Windows:
    chosen = known.chosen(rows)
    return chosen.windows(branch.correction(chosen.state.astype(np.float64)))


def _fitted_on(known: Pool, config: TrainingConfig) -> int:
    """How many of the oldest windows are fitted on; with `patience` those of the newest sessions are held back."""
    if config.patience is None:
        return len(known)
    days = np.unique(known.sessions)
    first = days[-min(config.held_back, len(days))]
    return max(int(np.searchsorted(known.sessions, first)), len(known) - len(known) // 4)


def _drawn(chance: np.random.Generator, n: int, most: int) -> Rows:
    """The numbers from 0 to n in an order of chance, at most so many of them."""
    return chance.permutation(n)[:most]


def _tell(report: OnEpoch, epochs_before: int, epoch: int, loss: float) -> None:
    report(epochs_before + epoch, loss)
