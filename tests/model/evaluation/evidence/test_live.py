"""Live proof: skill over the newest forecasts, and what may be claimed of all of them, with answers known beforehand.

The distributions are single points, whose CRPS is the size of the error: 0 beside 1 is the most that can be won. The
first session is never bet on, and then half of the wealth is at stake: after n such sessions it is 1.5 ** (n - 1).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.evaluation.distribution import no_distributions
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.live import LiveRecord
from model.evaluation.metrics import uniform_distance
from tests.distributions import around
from tests.market import weekdays


def judged(ours: Sequence[float], **naive: Sequence[float]) -> Evaluation:
    """Forecasts with these errors beside naive ones with those."""
    actual = np.full(len(ours), 100.0)
    return Evaluation(
        sessions=weekdays(len(ours), date(2020, 1, 1)),
        actual=actual,
        forecast=actual + ours,
        naive={"newest_Close": actual + 1.0},
        quantiles=around(actual + ours, 0.0, 0.0),
        naive_quantiles={name: around(actual + errors, 0.0, 0.0) for name, errors in naive.items()},
    )


def record(ours: Sequence[float], **naive: Sequence[float]) -> LiveRecord:
    """The same as a record."""
    found = LiveRecord.of(judged(ours, **naive))
    assert found is not None
    return found


def winning(n: int) -> LiveRecord:
    return record([0.0] * n, constant_250=[1.0] * n)


def losing(n: int) -> LiveRecord:
    return record([1.0] * n, constant_250=[0.0] * n)


def test_skill_is_that_of_the_newest_forecasts_where_there_are_so_many() -> None:
    assert record([1.0] * 20, constant_250=[2.0] * 20).skills == {}
    late = record([1.0] * 42 + [3.0] * 21, constant_250=[2.0] * 63)
    assert late.skills == pytest.approx({21: -0.5, 63: 1 - (42 * 1 + 21 * 3) / (63 * 2)})
    assert late.rolling_skill(21)[19:23] == pytest.approx([math.nan, 0.5, 0.5, 0.5], nan_ok=True)
    assert list(record([1.0] * 250, constant_250=[2.0] * 250).skills) == [21, 63, 250]


def test_the_naive_distribution_that_was_best_is_asked_for_anew() -> None:
    both = record([1.0] * 42, constant_250=[1.0] * 21 + [4.0] * 21, constant_500=[2.0] * 42)
    assert both.rolling_skill(21)[[20, 41]] == pytest.approx([0.0, 0.5])


@pytest.mark.parametrize(
    ("live", "claim"),
    [
        (winning(1), "not distinguishable from chance (evidence 1.0 to 1 on 1 forecast)"),
        (winning(8), "not distinguishable from chance (evidence 17 to 1 on 8 forecasts)"),
        (winning(9), "proven on 9 live forecasts (evidence 25 to 1)"),
        (winning(10), "proven on 10 live forecasts (evidence 38 to 1)"),
        (losing(8), "not distinguishable from chance (evidence 1.0 to 1 on 8 forecasts)"),
        (losing(10), "worse than the naive distribution (evidence 38 to 1 on 10 live forecasts)"),
    ],
)
def test_a_claim_is_worded_by_the_odds_that_were_reached(live: LiveRecord, claim: str) -> None:
    assert live.claim(20) == claim


def test_what_proves_something_is_for_the_settings_to_say() -> None:
    assert winning(10).claim(38.5).startswith("not distinguishable from chance (evidence 38 to 1")
    assert winning(10).claim(38).startswith("proven")


def test_what_was_proven_once_stays_proven_in_a_bad_week_and_not_in_a_bad_year() -> None:
    good, bad = [0.0] * 10, [1.0] * 10
    naive = [1.0] * 10, [0.0] * 10
    assert record([*good, *bad[:3]], constant_250=[*naive[0], *naive[1][:3]]).claim(20).startswith("proven")
    worse = record([*good, *bad * 4], constant_250=[*naive[0], *naive[1] * 4])
    assert worse.evidence.odds >= 20
    assert worse.claim(20).startswith("worse than the naive distribution")
    again = record([*bad, *good * 4], constant_250=[*naive[1], *naive[0] * 4])
    assert again.evidence.odds_against >= 20
    assert again.claim(20).startswith("proven on 50 live forecasts")


def test_evidence_by_session_is_the_logarithm_of_the_odds() -> None:
    figures = winning(10).by_session()
    assert figures["live_evidence"] == pytest.approx(np.arange(10) * math.log10(1.5))
    assert (figures["live_evidence_against"] == 0).all()
    assert np.isnan(figures["live_skill_21"]).all()


def test_only_distributions_with_naive_ones_beside_them_count() -> None:
    whole = judged([0.0] * 10, constant_250=[1.0] * 10)
    quantiles = whole.quantiles.copy()
    quantiles[[2, 5]] = math.nan
    some = LiveRecord.of(replace(whole, quantiles=quantiles))
    assert some is not None
    assert some.claim(20) == winning(8).claim(20)
    assert LiveRecord.of(replace(whole, quantiles=no_distributions(10))) is None
    assert LiveRecord.of(replace(whole, naive_quantiles={})) is None
    assert LiveRecord.of(replace(whole, naive_quantiles={"constant_250": no_distributions(10)})) is None


def test_the_distance_of_the_pit_from_uniform() -> None:
    # Every price is the median of its distribution: half of the values should lie below, and none does.
    assert winning(10).pit_ks == pytest.approx(0.5) == uniform_distance(np.full(10, 0.5))


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3)), min_size=25, max_size=40),
    st.integers(1, 24),
    st.floats(50, 150),
)
def test_a_later_price_changes_nothing_that_was_known_before(
    errors: list[tuple[float, float, float]], row: int, price: float
) -> None:
    ours, one, other = zip(*errors, strict=True)
    whole = judged(ours, constant_250=one, constant_500=other)
    actual = whole.actual.copy()
    actual[row:] = price
    before, after = (LiveRecord.of(each) for each in (whole, replace(whole, actual=actual)))
    assert before is not None
    assert after is not None
    figures = after.by_session()
    for name, values in before.by_session().items():
        np.testing.assert_array_equal(values[:row], figures[name][:row])
