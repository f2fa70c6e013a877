"""Prices several sessions ahead: widths and errors worked out by hand, and nothing known before its session."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.artifact.distribution import PROBABILITIES, Calibration
from model.artifact.horizon import (
    SPANS,
    YEAR,
    YEARS_MEAN,
    FurtherHorizon,
    LinearScale,
    changes_ahead,
    spans_state,
)
from model.artifact.scale import LEAST_SCALE, RANGE
from model.artifact.sessions_ahead import FURTHEST, checked_horizons
from model.market.prices import Prices, Values
from tests.market import changed_from, make_prices

N = 420
SHORT = Calibration(windows=(30, 60), symmetric=False, largest=20.0)
# Any weights will do: another one on each span.
UNEQUAL = LinearScale(weights=tuple((0.05 * np.arange(1, 2 * len(SPANS) + 1)).tolist()))


def further(sessions: int, calibration: Calibration = SHORT, scale: LinearScale = UNEQUAL) -> FurtherHorizon:
    return FurtherHorizon(sessions=sessions, scale=scale, ordinary=0.02, calibration=calibration)


def calm_market(n: int, *, gap: float = 0.01, ranges: float = 0.02) -> dict[str, Values]:
    """Each session opens higher by `gap`, as logarithms, and ends where it opened, after a range of `ranges`."""
    close = 100 * np.exp(gap * np.arange(n))
    return {
        "Open": close,
        "High": close * math.exp(ranges / 2),
        "Low": close * math.exp(-ranges / 2),
        "Close": close,
        "Date": np.arange(n, dtype=np.float64),
    }


@pytest.mark.parametrize("fine", [(1,), (1, 5), [1, 2, 21]])
def test_horizons_ascend_from_1(fine: list[int]) -> None:
    assert checked_horizons(fine) == tuple(fine)


@pytest.mark.parametrize("wrong", [(), (5,), (5, 1), (1, 1), (1, 5, 5), (1, FURTHEST + 1), (0, 1), (1, 7, 5)])
def test_other_horizons_are_refused(wrong: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="ascending order from 1 to at most 21"):
        checked_horizons(wrong)


def test_changes_are_from_a_close_to_the_price_so_many_sessions_later() -> None:
    table = {"Close": np.array([10.0, 20.0, 40.0, 80.0]), "Open": np.array([1.0, 2.0, 3.0, 5.0])}
    np.testing.assert_allclose(changes_ahead(table, "Close", 2), [math.log(4), math.log(4)])
    np.testing.assert_allclose(changes_ahead(table, "Open", 3), [math.log(0.5)])
    assert len(changes_ahead(table, "Open", 4)) == len(changes_ahead(table, "Open", 9)) == 0
    with pytest.raises(ValueError, match="0 sessions ahead"):
        changes_ahead(table, "Open", 0)


def test_in_a_market_that_is_always_alike_every_span_says_the_same() -> None:
    state = spans_state(calm_market(300), 3)
    np.testing.assert_allclose(state[:, : len(SPANS)], 0.02 / RANGE)
    np.testing.assert_allclose(state[:, len(SPANS) :], 0.01)
    np.testing.assert_allclose(YEARS_MEAN.at(calm_market(300), 3), 0.02 / RANGE + 0.01)


def test_a_movement_counts_in_each_span_by_its_share() -> None:
    table = calm_market(300, gap=0.0)
    table["High"][-3] *= math.exp(0.1)  # two sessions before the newest: in no span of one session
    usual = 0.02 / RANGE
    expected = [usual, *(usual + 0.1 / RANGE / span for span in SPANS[1:])]
    np.testing.assert_allclose(spans_state(table, 1)[0, : len(SPANS)], expected)
    np.testing.assert_allclose(spans_state(table, 1)[0, YEAR[0]], usual + 0.1 / RANGE / 250)


def test_half_a_span_is_enough_and_less_is_not() -> None:
    table = calm_market(300)
    assert np.isfinite(spans_state({name: values[:126] for name, values in table.items()}, 1)).all()
    few = spans_state({name: values[:124] for name, values in table.items()}, 1)
    assert np.isnan(few[0]).tolist() == [place in YEAR for place in range(2 * len(SPANS))]
    del table["High"]
    assert np.isnan(spans_state(table, 4)).all()


def test_a_market_that_stands_still_has_the_least_width() -> None:
    assert UNEQUAL.at(calm_market(300, gap=0.0, ranges=0.0), 2).tolist() == [LEAST_SCALE] * 2


def test_an_error_is_the_change_in_widths_and_belongs_to_the_session_that_was_forecast() -> None:
    table, sessions = calm_market(300), 5
    found = further(sessions, scale=YEARS_MEAN).errors("Close", table, 7)
    assert found.days.tolist() == list(range(293, 300))
    np.testing.assert_allclose(found.values, np.full(7, 0.05 / (0.02 / RANGE + 0.01)))
    # The first origin with a width has half a year behind it; its error is of the fifth session after.
    every = further(sessions, scale=YEARS_MEAN).errors("Close", table, 999)
    assert every.days[0] == 125 + sessions
    assert len(further(sessions).errors("High", {"Close": table["Close"]}, 9).values) == 0
    assert len(further(21).errors("Close", {name: values[:21] for name, values in table.items()}, 9).values) == 0


def test_a_distribution_is_the_close_with_the_quantiles_of_errors_that_were_known_by_hand() -> None:
    prices, sessions = make_prices(N), 5
    ahead, table = further(sessions), prices.table()
    found = ahead.quantiles("Open", table, 3)
    closes, opens, width = table["Close"], table["Open"], UNEQUAL.at(table, N)
    for row, origin in enumerate(range(N - 3, N)):
        errors = [math.log(opens[at + sessions] / closes[at]) / width[at] for at in range(origin - sessions + 1)]
        errors = [error for error in errors if math.isfinite(error)]
        # Five neighbouring errors count as one: rank (n / 5 + 1) p, in the middle of the five.
        ranks = [((most / 5 + 1) * np.array(PROBABILITIES) - 0.5) * 5 + 0.5 for most in (30, 60)]
        units = np.mean(
            [
                np.interp(rank, np.arange(1, most + 1), sorted(errors[-most:]))
                for most, rank in zip((30, 60), ranks, strict=True)
            ],
            axis=0,
        )
        middle = units[12]
        expected = closes[origin] * np.exp(min(width[origin], 0.02) * middle + width[origin] * (units - middle))
        np.testing.assert_allclose(found[row], expected, rtol=1e-9)


def test_too_little_gives_no_distribution() -> None:
    prices = make_prices(N)
    assert np.isfinite(further(5).quantiles("Close", prices.rows(0, 125 + 5 + 19).table())).all()
    assert np.isnan(further(5).quantiles("Close", prices.rows(0, 125 + 5 + 18).table())).all()
    assert np.isnan(further(21).quantiles("Close", prices.rows(0, 20).table(), 20)).all()


def tampered(prices: Prices, row: int, way: int) -> Prices:
    """Other prices from a row on, or fewer, or none."""
    return changed_from(prices, row) if way == 0 else prices.rows(0, row + way)


@settings(max_examples=40, deadline=None)
@given(origin=st.integers(200, N - 10), sessions=st.integers(1, FURTHEST), way=st.integers(0, 2))
def test_nothing_said_at_an_origin_knows_what_comes_after_it(origin: int, sessions: int, way: int) -> None:
    prices, ahead = make_prices(N), further(sessions)
    other = tampered(prices, origin + 1, way) if way == 0 else tampered(prices, origin, way)
    one, two = (ahead.quantiles("Close", some.table(), len(some)) for some in (prices, other))
    assert np.isfinite(one[origin]).all()
    np.testing.assert_array_equal(one[: origin + 1], two[: origin + 1])
    np.testing.assert_array_equal(
        spans_state(prices.table(), N)[: origin + 1], spans_state(other.table(), len(other))[: origin + 1]
    )
    if way == 0:
        assert (one[origin + 1] != two[origin + 1]).all(), "it should have moved after the origin"


@settings(max_examples=25, deadline=None)
@given(sessions=st.integers(1, FURTHEST), origin=st.integers(250, N - 30))
def test_an_error_counts_as_many_sessions_after_its_origin_and_no_sooner(sessions: int, origin: int) -> None:
    """Another price of the session `origin + sessions`, and of it alone, changes what is said there and not before."""
    prices = make_prices(N)
    values = prices.values.copy()
    values[origin + sessions, 0] *= 1.004  # the Open stays below the High
    other = replace(prices, values=values)
    one, two = (further(sessions).quantiles("Open", some.table(), N) for some in (prices, other))
    np.testing.assert_array_equal(one[: origin + sessions], two[: origin + sessions])
    assert (one[origin + sessions] != two[origin + sessions]).any()


@settings(max_examples=20, deadline=None)
@given(sessions=st.integers(1, FURTHEST), first=st.integers(0, 120))
def test_older_prices_than_count_and_other_origins_change_no_digit(sessions: int, first: int) -> None:
    prices, ahead = make_prices(N), further(sessions)
    # Sixty errors, a year behind the oldest of their origins, and one session for the first overnight move.
    few = prices.rows(min(first, N - 60 - sessions - SPANS[-1] - 1), N)
    together = ahead.quantiles("Close", prices.table(), 9)
    np.testing.assert_array_equal(ahead.quantiles("Close", few.table())[0], together[-1])
    alone = ahead.quantiles("Close", prices.rows(0, N - 4).table())[0]
    np.testing.assert_array_equal(alone, together[4])


def test_stored_errors_count_from_their_sessions_on_and_newer_ones_are_added() -> None:
    prices, sessions = make_prices(N), 5
    table = prices.table()
    known = prices.rows(0, N - 40)
    errors = further(sessions).errors("Close", known.table(), 60)
    stored = replace(SHORT, days=tuple(errors.days.astype(int).tolist()), errors=tuple(errors.values.tolist()))
    with_stored, without = further(sessions, stored), further(sessions)
    np.testing.assert_array_equal(
        with_stored.quantiles("Close", table, 60)[20:], without.quantiles("Close", table, 60)[20:]
    )
    # What is said before the newest stored errors' sessions does not know them.
    last = table["Date"][N - 50]
    wrong = replace(
        stored,
        errors=tuple(9.0 if day > last else error for day, error in zip(stored.days, stored.errors, strict=True)),
    )
    early = prices.rows(0, N - 49).table()
    np.testing.assert_array_equal(
        further(sessions, wrong).quantiles("Close", early), with_stored.quantiles("Close", early)
    )
    assert (further(sessions, wrong).quantiles("Close", table) != with_stored.quantiles("Close", table)).any()


def test_without_dates_only_the_stored_errors_count() -> None:
    table = {name: values for name, values in make_prices(N).table().items() if name != "Date"}
    stored = replace(SHORT, days=tuple(range(100)), errors=tuple(np.linspace(-1, 1, 100).tolist()))
    found = further(5, stored).quantiles("Close", table)
    width, units = UNEQUAL.at(table, 1)[0], stored.quantiles(stored.stored().values, 5)
    middle = min(width, 0.02) * units[12]
    np.testing.assert_allclose(found[0], table["Close"][-1] * np.exp(middle + width * (units - units[12])))


def test_json_brings_back_the_same() -> None:
    ahead = further(5, replace(SHORT, days=(1, 2), errors=(0.1, -0.25)))
    assert FurtherHorizon.from_json(json.loads(json.dumps(asdict(ahead)))) == ahead
