"""A tuning sees the sessions before a proof, and no digit of a trial depends on any later one."""

from dataclasses import replace

import numpy as np
import pytest

from model.config import PRESETS
from model.errors import TooFewPrices
from model.evaluation.evidence.proof import ProofConfig
from model.market.prices import Prices
from model.tuning.sessions import tuning_split
from model.tuning.space import with_values
from model.tuning.trial import TrialResult, run_trial
from tests.market import changed_from, make_prices

SMALL = with_values(
    PRESETS["anchored"].model_copy(update={"training": PRESETS["anchored"].training.model_copy(update={"members": 1})}),
    {"lookback": 5, "network.units": 3, "training.epochs": 3},
)
PROOF = ProofConfig(sessions=100, history=200, refit_every=50)
ROWS, START = 700, 600


def result(prices: Prices) -> TrialResult:
    """What a trial comes to, without how long it took."""
    came = run_trial(tuning_split(prices, SMALL, PROOF), SMALL, lambda *_: False)
    return replace(came, seconds=0.0, processor_seconds=0.0)


def test_it_sees_all_before_the_proof_and_is_judged_on_the_newest_of_these() -> None:
    prices = make_prices(ROWS)
    split = tuning_split(prices, SMALL, PROOF)
    assert (len(split.prices), split.n_test, len(split.train)) == (START, 200, 400)
    assert split.prices.last < prices.day(START)
    longer = tuning_split(make_prices(1200), SMALL, PROOF)
    assert (len(longer.prices), longer.n_test) == (1100, 250)


def test_a_study_that_goes_on_sees_what_it_saw_at_its_beginning() -> None:
    prices = make_prices(ROWS)
    assert len(tuning_split(prices, SMALL, PROOF, prices.day(550)).prices) == 550


@pytest.mark.parametrize("rows", [150, 290])
def test_without_years_before_the_proof_there_is_no_tuning(rows: int) -> None:
    with pytest.raises(TooFewPrices, match="on these alone a tuning may look"):
        tuning_split(make_prices(rows), SMALL, PROOF)


@pytest.mark.slow
def test_no_digit_of_a_trial_depends_on_a_session_of_the_proof() -> None:
    prices = make_prices(ROWS)
    came = result(prices)
    assert came.crps is not None
    assert len(came.held_back) == 3
    wild = prices.values.copy()
    wild[START:] *= np.array([7.0, 9.0, 3.0, 5.0, 5.0, 11.0])
    for later in (changed_from(prices, START), replace(prices, values=wild)):
        assert result(later) == came
    # A test that cannot fail proves nothing: the session before counts.
    assert result(changed_from(prices, START - 1)) != came


@pytest.mark.slow
def test_a_hopeless_trial_ends_after_the_epoch_that_said_so() -> None:
    asked: list[int] = []

    def hopeless(epoch: int, _loss: float) -> bool:
        asked.append(epoch)
        return epoch == 2

    came = run_trial(tuning_split(make_prices(ROWS), SMALL, PROOF), SMALL, hopeless)
    assert (asked, len(came.held_back), came.crps, dict(came.metrics)) == ([1, 2], 2, None, {})
