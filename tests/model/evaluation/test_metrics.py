"""Measures, against examples that were published or worked out by hand."""

import math
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from model.evaluation.metrics import (
    Share,
    coverage,
    diebold_mariano,
    directional_accuracy,
    mase,
    quantile_losses,
    rmsse,
    skill,
    training_scales,
    uniform_distance,
    wilson,
    winkler,
)
from model.market.prices import Values
from tests.project import ROOT

DOLLARS = st.floats(min_value=-1000, max_value=1000, allow_subnormal=False)
PAIRS = st.lists(st.tuples(DOLLARS, DOLLARS), min_size=3, max_size=40)


def values(*numbers: float) -> Values:
    return np.array(numbers, dtype=np.float64)


def test_scaled_errors_as_in_sktimes_documentation() -> None:
    # The example of mean_absolute_scaled_error and mean_squared_scaled_error(square_root=True).
    scales = training_scales(values(5, 0.5, 4, 6, 3, 5, 2), 5)
    actual, forecast = values(3, -0.5, 2, 7, 2), values(2.5, 0.0, 2, 8, 1.25)
    assert mase(actual, forecast, scales["absolute"]) == pytest.approx(0.18333333333333335)
    assert rmsse(actual, forecast, scales["squared"]) == pytest.approx(0.20568833780186058)


def test_the_newest_price_has_scaled_errors_of_one_on_the_training_part_itself() -> None:
    training = values(1, 4, 2, 9)
    scales = training_scales(training, 3)
    assert mase(training[1:], training[:-1], scales["absolute"]) == pytest.approx(1)
    assert rmsse(training[1:], training[:-1], scales["squared"]) == pytest.approx(1)


@pytest.mark.parametrize("training", [values(7, 7, 7), values(7), values()])
def test_prices_that_never_moved_scale_nothing(training: Values) -> None:
    scales = training_scales(training, 2)
    assert math.isnan(mase(values(7, 7), values(7, 8), scales["absolute"]))
    assert math.isnan(rmsse(values(7, 7), values(7, 7), scales["squared"]))


def test_skill_is_the_share_of_the_naive_error_that_is_saved() -> None:
    assert skill(1.0, 2.0) == 0.5
    assert skill(3.0, 2.0) == -0.5
    assert skill(0.0, 2.0) == 1.0


def test_nothing_has_skill_against_a_naive_forecast_without_error() -> None:
    assert skill(0.0, 0.0) == 0.0
    assert skill(1e-9, 0.0) == -math.inf


@pytest.mark.parametrize(
    ("hits", "n", "lower", "upper"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_as_newcombe_published_it(hits: int, n: int, lower: float, upper: float) -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    assert wilson(hits, n) == pytest.approx((lower, upper), abs=5e-5)


def test_wilsons_interval_ends_where_shares_do() -> None:
    assert wilson(0, 5)[0] == 0.0
    assert wilson(5, 5)[1] == 1.0
    assert wilson(0, 0) == (0.0, 1.0)
    assert math.isnan(Share(0, 0).value)


def test_direction_counts_the_sessions_that_went_somewhere() -> None:
    # up, up, down, nowhere, up; forecast up, down, down, up, nowhere
    actual, forecast = values(11, 11, 9, 10, 12), values(12, 9, 9.5, 15, 10)
    found = directional_accuracy(actual, forecast, np.full(5, 10.0))
    assert found == Share(hits=2, n=4)
    assert found.value == 0.5
    assert found.bounds == pytest.approx((0.15, 0.85), abs=5e-3)


def test_a_constant_price_has_no_direction() -> None:
    found = directional_accuracy(values(5, 5), values(6, 4), values(5, 5))
    assert (found.n, found.bounds) == (0, (0.0, 1.0))


def sample_of_old(generator: random.Random) -> Values:
    """random.sample(range(100), 100) as Python 2 drew it."""
    pool, drawn = list(range(100)), []
    for left in range(100, 0, -1):
        at = int(generator.random() * left)
        drawn.append(pool[at])
        pool[at] = pool[left - 1]
    return np.array(drawn, dtype=np.float64)


def test_diebold_mariano_as_in_the_example_of_its_python_implementation() -> None:
    # github.com/johntwk/Diebold-Mariano-Test, README: criterion MSE, h = 1.
    generator = random.Random(123)
    actual, one, other = (sample_of_old(generator) for _ in range(3))
    test = diebold_mariano(np.square(one - actual), np.square(other - actual))
    assert test.statistic == pytest.approx(1.2112523589452902)
    assert test.p_value == pytest.approx(0.22868210381769466)
    assert test.p_better == pytest.approx(1 - 0.22868210381769466 / 2)


def test_diebold_mariano_one_step_ahead_is_students_test_of_the_differences() -> None:
    # Student's own: ten patients' hours of sleep (Biometrika 6, 1908), t = 4.0621, p = 0.002833.
    hours = values(1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4)
    test = diebold_mariano(hours, np.zeros(10))
    assert test.statistic == pytest.approx(4.0621, abs=5e-5)
    assert test.p_value == pytest.approx(0.002833, abs=5e-7)
    assert diebold_mariano(np.zeros(10), hours).p_better == pytest.approx(0.0014164, abs=5e-7)


@given(PAIRS)
def test_diebold_mariano_agrees_with_scipy(pairs: list[tuple[float, float]]) -> None:
    one, other = np.array(pairs).T
    difference = one - other
    if np.std(difference) < 1e-6 * max(1.0, np.abs(difference).max()):
        return
    test, expected = diebold_mariano(one, other), stats.ttest_1samp(difference, 0)
    assert test.statistic == pytest.approx(expected.statistic, rel=1e-6, abs=1e-9)
    assert test.p_value == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("sessions", "least", "most"), [(21, 0.10, 0.20), (734, 0.95, 1.0)])
def test_a_month_shows_only_gross_differences_and_three_years_small_ones(
    sessions: int, least: float, most: float
) -> None:
    # Errors 5 % smaller, with heavy tails, and a correlation of 0.95 to the other forecast's.
    rng, tries = np.random.default_rng(0), 500
    found = 0
    for _ in range(tries):
        other, own = rng.standard_t(5, (2, sessions))
        better = 0.95 * (0.95 * other + math.sqrt(1 - 0.95**2) * own)
        found += diebold_mariano(np.square(better), np.square(other)).p_better <= 0.05
    assert least <= found / tries <= most


def test_forecasts_with_the_same_losses_do_not_differ() -> None:
    for other in (values(1, 9, 4), values(4, 9, 1)):
        test = diebold_mariano(values(1, 9, 4), other)
        assert (test.statistic, test.p_value, test.p_better) == (0.0, 1.0, 0.5)


def test_what_is_worse_by_the_same_on_every_session_is_worse_without_doubt() -> None:
    test = diebold_mariano(values(4, 4, 4), values(1, 1, 1))
    assert (test.statistic, test.p_value, test.p_better) == (math.inf, 0.0, 1.0)
    test = diebold_mariano(values(1, 1, 1), values(4, 4, 4))
    assert (test.statistic, test.p_value, test.p_better) == (-math.inf, 0.0, 0.0)


def test_one_session_tests_nothing_and_sessions_without_a_loss_do_not_count() -> None:
    for losses in (values(1), values(1, math.nan), values(math.nan, math.nan)):
        test = diebold_mariano(losses, np.full(len(losses), 2.0))
        assert all(map(math.isnan, (test.statistic, test.p_value, test.p_better)))
    assert diebold_mariano(values(1, 2, math.nan), values(3, 1, 5)) == diebold_mariano(values(1, 2), values(3, 1))


@pytest.mark.parametrize(
    ("losses", "squared"),
    [
        # Autocovariances 35/12 and 35/24: 3.5^2 / ((35/12 + 35/12) / 6), times (7 - 4 + 2/6) / 6.
        (values(1, 2, 3, 4, 5, 6), 7.0),
        # 1 and -5/6, whose sum would be below 0: with Bartlett's weight 1^2 / ((1 - 5/6) / 6), times the same.
        (values(2, 0, 2, 0, 2, 0), 20.0),
    ],
)
def test_diebold_mariano_two_sessions_ahead_by_hand(losses: Values, squared: float) -> None:
    test = diebold_mariano(losses, np.zeros(6), 2)
    assert test.statistic == pytest.approx(math.sqrt(squared))
    assert test.p_value == pytest.approx(2 * stats.t.sf(math.sqrt(squared), 5))
    assert test.p_better == pytest.approx(1 - test.p_value / 2)


def test_a_session_without_a_loss_keeps_its_place_among_those_that_overlap() -> None:
    # With the sessions 1, 2 and 5, 6 of the differences below: one pair of neighbours on each side.
    gone = diebold_mariano(values(1, 2, math.nan, math.nan, 5, 6), np.zeros(6), 2)
    # Squares (2.5^2 + 1.5^2) / 2 and neighbours (2.5 * 1.5) / 2; the correction is (5 - 4 + 2/4) / 4.
    variance = (2.5**2 + 1.5**2) / 2 + 2 * (2.5 * 1.5) / 2
    assert gone.statistic == pytest.approx(3.5 / math.sqrt(variance / 4) * math.sqrt(1.5 / 4))
    assert math.isnan(diebold_mariano(values(1, 2, 3, 4, 6), np.zeros(5), 5).statistic)


def test_forecasts_that_overlap_and_are_equally_good_rarely_differ() -> None:
    rng, tries, horizon = np.random.default_rng(0), 1000, 5
    drawn = rng.normal(size=(tries, 750 + horizon - 1))
    differences = np.array([np.convolve(each, np.ones(horizon), "valid") for each in drawn])
    found = {h: np.mean([diebold_mariano(d, 0 * d, h).p_value < 0.05 for d in differences]) for h in (1, horizon)}
    assert 0.03 < found[horizon] < 0.08
    assert found[1] > 0.3, "without the autocovariances chance would pass for a difference"


def test_coverage_counts_the_bounds_in_and_leaves_out_sessions_without_an_interval() -> None:
    lower, upper = values(8, 10, 11, math.nan), values(10, 12, 12, math.nan)
    assert coverage(values(10, 10, 10, 10), lower, upper) == Share(hits=2, n=3)


def test_winklers_score_is_the_width_and_ten_times_the_miss_at_80_per_cent() -> None:
    lower, upper = np.full(3, 8.0), np.full(3, 12.0)
    assert winkler(values(10, 13, 6), lower, upper, 0.8) == pytest.approx((4 + (4 + 10 * 1) + (4 + 10 * 2)) / 3)
    assert winkler(values(10, 13), values(8, math.nan), values(12, math.nan), 0.8) == 4
    assert math.isnan(winkler(values(10), values(math.nan), values(math.nan), 0.8))


def test_the_quantile_loss_of_hyndman_and_athanasopoulos_google_example() -> None:
    # Forecasting: Principles and Practice, 3rd edition, 5.9, where it is doubled: 2 (1 - 0.1) (744.54 - 741.84) = 4.86.
    assert 2 * quantile_losses(values(741.84), values(744.54), 0.1)[0] == pytest.approx(4.86)


@given(PAIRS, st.sampled_from([0.5, 0.8, 0.95]))
def test_winklers_score_is_the_sum_of_two_quantile_losses(pairs: list[tuple[float, float]], level: float) -> None:
    actual, middle = np.array(pairs).T
    lower, upper = middle - 1, middle + 2
    both = quantile_losses(actual, lower, (1 - level) / 2) + quantile_losses(actual, upper, (1 + level) / 2)
    assert winkler(actual, lower, upper, level) == pytest.approx(2 / (1 - level) * np.mean(both))


def test_the_distance_to_the_uniform_distribution_is_that_of_scipy() -> None:
    drawn = np.random.default_rng(0).beta(2, 2, 50)
    assert uniform_distance(drawn) == pytest.approx(stats.kstest(drawn, "uniform").statistic)
    assert uniform_distance(values(0.5)) == 0.5
    assert math.isnan(uniform_distance(values()))


def test_the_library_of_scores_compiles_nothing_and_leaves_numba_to_others() -> None:
    program = (
        "from model.evaluation import metrics; import sys; metrics.scoring_library(); print('numba' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
