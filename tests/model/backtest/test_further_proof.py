"""The proof of a further horizon: each session by a fit of its origin's time, and by nothing that came after."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.backtest.further_proof import further_proof
from model.evaluation.baselines import naive_distributions
from model.evaluation.evidence.e_process import weigh
from model.training.fit import fit_further
from tests.market import changed_from, make_prices

N, START, REFIT = 400, 350, 20
PRICES = make_prices(N)


@pytest.mark.parametrize(("column", "horizon"), [("Close", 5), ("Open", 21), ("Close", 1)])
def test_each_session_is_forecast_as_many_sessions_before_by_the_newest_fit_of_that_time(
    column: str, horizon: int
) -> None:
    proof = further_proof(PRICES, START, column, horizon, REFIT)
    assert (proof.horizon, proof.sessions, proof.first, proof.last) == (
        horizon,
        N - START,
        PRICES.day(START),
        PRICES.last,
    )
    np.testing.assert_array_equal(proof.judged.actual, PRICES.column(column)[START:])
    for row in (0, 19, 20, 49):
        origin = START + row - horizon
        fitted = fit_further(PRICES.rows(0, START - horizon + row // REFIT * REFIT + 1), column, horizon)
        known = PRICES.rows(0, origin + 1)
        np.testing.assert_array_equal(proof.judged.quantiles[row], fitted.quantiles(column, known.table())[0])
        for name, quantiles in naive_distributions(known, column, 1, horizon).items():
            np.testing.assert_array_equal(proof.judged.naive_quantiles[name][row], quantiles[0])
    found = weigh(proof.judged, horizon)
    assert found is not None
    assert proof.odds == found.odds


@settings(max_examples=6, deadline=None)
@given(row=st.integers(START, N - 2), horizon=st.sampled_from([1, 5, 21]))
def test_no_forecast_of_a_proof_and_no_stake_knows_a_price_after_its_origin(row: int, horizon: int) -> None:
    one, two = (further_proof(some, START, "Close", horizon, REFIT) for some in (PRICES, changed_from(PRICES, row)))
    said = min(row - START + horizon, N - START)  # the sessions whose origin lies before the row
    np.testing.assert_array_equal(one.judged.quantiles[:said], two.judged.quantiles[:said])
    assert one.evidence is not None
    assert two.evidence is not None
    for name, bets in one.evidence.better.items():
        np.testing.assert_array_equal(bets.stakes[:said], two.evidence.better[name].stakes[:said])
        happened = row - START
        np.testing.assert_array_equal(bets.log_wealth[:happened], two.evidence.better[name].log_wealth[:happened])
    if said < N - START:
        assert (one.judged.quantiles[said] != two.judged.quantiles[said]).all(), "it should have moved after the origin"


@settings(max_examples=4, deadline=None)
@given(sessions=st.integers(START + 1, N - 1), horizon=st.sampled_from([1, 5]))
def test_a_proof_only_grows(sessions: int, horizon: int) -> None:
    whole, part = (
        further_proof(some, START, "Close", horizon, REFIT).judged for some in (PRICES, PRICES.rows(0, sessions))
    )
    np.testing.assert_array_equal(whole.quantiles[: sessions - START], part.quantiles)
    np.testing.assert_array_equal(whole.forecast[: sessions - START], part.forecast)


def test_sessions_without_an_origin_cannot_be_proven() -> None:
    for start in (4, N):
        with pytest.raises(ValueError, match=f"row {start} of 400 sessions, 5 sessions ahead"):
            further_proof(PRICES, start, "Close", 5, REFIT)
    assert np.isnan(further_proof(PRICES.rows(0, 100), 60, "Close", 5, REFIT).judged.quantiles).all()
