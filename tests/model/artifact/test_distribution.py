"""Past errors as quantiles: every rank counted by hand."""

from typing import Literal

import numpy as np
import pytest

from model.artifact.distribution import (
    LEVELS,
    PROBABILITIES,
    Calibration,
    Errors,
    newest_quantiles,
    quantile_column,
)

NINETY_NINE = np.arange(1.0, 100.0)


def at(calibration: Calibration, errors: np.ndarray, probability: float) -> float:
    return float(calibration.quantiles(errors)[PROBABILITIES.index(probability)])


def test_the_probabilities_lie_alike_around_the_median_and_hold_both_levels() -> None:
    np.testing.assert_allclose(np.add(PROBABILITIES, PROBABILITIES[::-1]), 1)
    assert sorted(PROBABILITIES) == list(PROBABILITIES)
    tails = [round((100 - level) / 200, 4) for level in LEVELS]
    assert {*tails, *(round(1 - tail, 4) for tail in tails), 0.5} <= set(PROBABILITIES)
    assert quantile_column(0.025) == "quantile_0.025"
    assert len({quantile_column(p) for p in PROBABILITIES}) == 25


def test_at_a_probability_stands_the_error_of_its_rank_among_one_more_than_there_are() -> None:
    shuffled = np.random.default_rng(0).permutation(NINETY_NINE)
    found = Calibration(windows=(250,), symmetric=False).quantiles(shuffled)
    # Of 99 errors the rank (99 + 1) p is a whole number for most; beyond the outermost error there is none.
    np.testing.assert_allclose(found, np.clip(100 * np.array(PROBABILITIES), 1, 99))


def test_where_errors_overlap_neighbours_count_as_one_and_quantiles_lie_further_out() -> None:
    errors = np.arange(1.0, 101.0)
    calibration = Calibration(windows=(250,), symmetric=False)
    found = dict(zip(PROBABILITIES, calibration.quantiles(errors, 5).tolist(), strict=True))
    # 20 that do not overlap, each the middle of five: rank 21 p of them is 5 * 21 p - 2 of the hundred.
    assert found[0.1] == pytest.approx(5 * 2.1 - 2)
    assert found[0.5] == pytest.approx(50.5)
    assert found[0.95] == pytest.approx(5 * 19.95 - 2)
    # Rank 20.475 of 20 is the outermost one.
    assert (found[0.025], found[0.975], found[0.995]) == (1.0, 100.0, 100.0)
    np.testing.assert_array_equal(calibration.quantiles(errors, 1), calibration.quantiles(errors))
    both = Calibration(windows=(250,), symmetric=True).quantiles(errors, 5)
    np.testing.assert_allclose(both, -both[::-1])


def test_between_two_ranks_it_lies_in_proportion() -> None:
    calibration = Calibration(windows=(250,), symmetric=False)
    # Nineteen errors: 20 * 0.975 = 19.5 lies beyond the last, 20 * 0.1 = 2 is the second, 20 * 0.025 = 0.5 before all.
    errors = np.arange(10.0, 200.0, 10.0)
    assert [at(calibration, errors, p) for p in (0.025, 0.1, 0.5, 0.975)] == pytest.approx([10, 20, 100, 190])
    # Twenty: 21 * 0.1 = 2.1 lies a tenth of the way from the second to the third.
    assert at(calibration, np.arange(10.0, 210.0, 10.0), 0.1) == pytest.approx(21)


def test_it_is_the_mean_of_what_each_window_of_newest_errors_says() -> None:
    errors = np.concatenate([np.full(60, -7.0), np.full(40, 5.0), NINETY_NINE])
    one, other, both = (Calibration(windows=w, symmetric=False) for w in ((99,), (199,), (99, 199)))
    np.testing.assert_allclose(both.quantiles(errors), (one.quantiles(errors) + other.quantiles(errors)) / 2)
    np.testing.assert_array_equal(one.quantiles(errors), one.quantiles(NINETY_NINE))
    assert both.kept == 199
    assert at(both, errors, 0.1) == pytest.approx((10 + -7) / 2)  # of 199 the rank is the 20th


def test_where_sizes_alone_count_the_median_is_the_centre_itself_and_both_sides_are_alike() -> None:
    errors = NINETY_NINE * np.where(np.arange(99) % 3 == 0, -1, 1)
    found = Calibration(windows=(250,), symmetric=True).quantiles(errors)
    assert found[PROBABILITIES.index(0.5)] == 0
    np.testing.assert_array_equal(found, -found[::-1])
    # 80 % of the sizes are below the 80th, so 10 % of the errors are expected above it: conformal prediction's width.
    calibration = Calibration(windows=(250,), symmetric=True)
    assert [at(calibration, errors, p) for p in (0.9, 0.975, 0.025)] == pytest.approx([80, 95, -95])


@pytest.mark.parametrize("symmetric", [True, False])
def test_with_fewer_than_nineteen_errors_nothing_is_said(symmetric: bool) -> None:
    calibration = Calibration(windows=(250, 1000), symmetric=symmetric)
    assert np.isnan(calibration.quantiles(NINETY_NINE[:18])).all()
    assert np.isfinite(calibration.quantiles(NINETY_NINE[:19])).all()
    assert np.isnan(calibration.quantiles(np.empty(0))).all()


@pytest.mark.parametrize("symmetric", [True, False])
def test_quantiles_never_fall(symmetric: bool) -> None:
    rng = np.random.default_rng(3)
    for n in (19, 20, 50, 300):
        found = Calibration(windows=(25, 250), symmetric=symmetric).quantiles(rng.standard_t(2, n))
        assert (np.diff(found) >= 0).all()


def test_an_error_is_known_from_the_session_that_it_is_of() -> None:
    errors = Errors(days=np.array([10.0, 11.0, 14.0]), values=np.array([1.0, 2.0, 3.0]))
    assert errors.known_by(np.array([9.0, 10.0, 13.0, 14.0, 99.0])).tolist() == [0, 1, 2, 3, 3]


@pytest.mark.parametrize("method", ["linear", "weibull"])
def test_rolling_quantiles_are_numpys_to_the_last_digit(method: Literal["linear", "weibull"]) -> None:
    values = np.random.default_rng(6).standard_t(3, 300).round(2)  # with ties
    counts = np.array([19, 20, 20, 250, 299, 300, 60, 61])
    for most in (20, 100, 1000):
        found = newest_quantiles(values, counts, most, np.array(PROBABILITIES), weibull=method == "weibull")
        wanted = [np.quantile(values[max(0, n - most) : n], PROBABILITIES, method=method) for n in counts]
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("symmetric", [True, False])
def test_quantiles_of_many_days_are_those_of_each_to_the_last_digit(symmetric: bool) -> None:
    rng = np.random.default_rng(5)
    errors = Errors(days=np.cumsum(rng.integers(1, 4, 400)).astype(np.float64), values=rng.standard_t(3, 400))
    calibration = Calibration(windows=(50, 300), symmetric=symmetric, largest=4.0)
    days = np.arange(errors.days[-1] + 3)
    one_by_one = [calibration.quantiles(errors.values[errors.days <= day]) for day in days]
    np.testing.assert_array_equal(calibration.quantiles_at(errors, days), one_by_one)


def test_errors_that_are_exchangeable_stay_below_a_quantile_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    calibration = Calibration(windows=(99,), symmetric=False)
    draws = rng.exponential(size=(4000, 100))
    below = np.mean([row[-1] <= calibration.quantiles(row[:-1]) for row in draws], axis=0)
    inner = slice(1, -1)  # the outermost two lie beyond the ranks of 99 errors
    np.testing.assert_allclose(below[inner], np.array(PROBABILITIES)[inner], atol=0.025)


def test_errors_that_overlap_stay_below_a_quantile_as_often_as_it_says_if_neighbours_count_as_one() -> None:
    rng, overlap, n = np.random.default_rng(0), 21, 420
    drawn = rng.normal(size=(3000, n + 2 * overlap))
    sums = np.lib.stride_tricks.sliding_window_view(drawn, overlap, axis=1).sum(axis=2)
    # The error that is forecast begins where the newest known one ends.
    known, coming = sums[:, :n], sums[:, n + overlap - 1]
    calibration = Calibration(windows=(n,), symmetric=False)

    def within(counted: int) -> float:
        made = np.array([calibration.quantiles(each, counted) for each in known])
        low, high = (made[:, PROBABILITIES.index(p)] for p in (0.1, 0.9))
        return float(((low <= coming) & (coming <= high)).mean())

    assert within(overlap) == pytest.approx(0.80, abs=0.02)
    assert within(1) < 0.77, "as if none overlapped, the interval would be too narrow"
