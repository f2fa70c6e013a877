"""Scores of distributions, against closed forms and the libraries that have them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.interpolate import CubicHermiteSpline, PchipInterpolator
from scipy.special import expit

from model.artifact.distribution import PROBABILITIES
from model.evaluation import distribution
from model.evaluation.distribution import CRPS_WEIGHTS, DENSITY_PROBABILITIES, LOGITS, crps, log_density, pit
from model.evaluation.metrics import scoring_library, uniform_distance
from model.market.prices import Values

LEVELS = np.array(PROBABILITIES)
SESSIONS = 4000


def repeated(quantiles: Values, sessions: int = SESSIONS) -> Values:
    return np.tile(quantiles, (sessions, 1))


def test_the_weights_are_the_widths_of_the_cells_around_the_probabilities() -> None:
    assert CRPS_WEIGHTS.sum() == pytest.approx(1)
    assert CRPS_WEIGHTS[:4] == pytest.approx([0.0075, 0.01, 0.02, 0.0375])
    assert CRPS_WEIGHTS[12] == pytest.approx(0.05)
    np.testing.assert_allclose(CRPS_WEIGHTS, CRPS_WEIGHTS[::-1])


@pytest.mark.parametrize("sd", [0.5, 1.0, 1.5])
def test_the_crps_of_a_normal_distribution_is_within_half_a_per_cent_of_the_closed_form(sd: float) -> None:
    actual = np.random.default_rng(0).normal(100, 2, SESSIONS)
    exact = scoring_library().crps_normal(actual, 100, 2 * sd).mean()
    assert crps(actual, repeated(stats.norm.ppf(LEVELS, 100, 2 * sd))).mean() == pytest.approx(exact, rel=0.005)


@pytest.mark.parametrize("freedom", [3, 4, 10])
def test_the_crps_of_students_distribution_is_within_half_a_per_cent_of_the_closed_form(freedom: int) -> None:
    actual = np.random.default_rng(1).standard_t(freedom, SESSIONS)
    exact = scoring_library().crps_t(actual, freedom).mean()
    assert crps(actual, repeated(stats.t.ppf(LEVELS, freedom))).mean() == pytest.approx(exact, rel=0.005)


def test_the_crps_of_a_point_is_its_absolute_error_and_a_sharper_true_distribution_is_better() -> None:
    assert crps(np.array([103.0, 98.0]), np.full((2, len(LEVELS)), 100.0)) == pytest.approx([3, 2])
    actual = np.random.default_rng(2).normal(0, 1, SESSIONS)
    scores = {sd: crps(actual, repeated(stats.norm.ppf(LEVELS, 0, sd))).mean() for sd in (0.7, 1.0, 1.4)}
    assert min(scores, key=lambda sd: scores[sd]) == 1.0


def test_the_log_density_of_a_normal_distribution_is_near_the_closed_form() -> None:
    deviate = np.random.default_rng(3).normal(size=SESSIONS)
    quantiles = repeated(100 * np.exp(0.02 * stats.norm.ppf(LEVELS)))
    found = log_density(100 * np.exp(0.02 * deviate), quantiles)
    exact = stats.norm.logpdf(deviate) - math.log(0.02)
    assert found.mean() == pytest.approx(exact.mean(), abs=0.005)
    within = np.abs(deviate) < 2.5
    np.testing.assert_allclose(found[within], exact[within], atol=0.06)


def test_what_the_density_depends_on_is_not_the_dollar() -> None:
    quantiles = repeated(100 * np.exp(0.02 * stats.norm.ppf(LEVELS)), 5)
    actual = np.array([90.0, 98.0, 100.0, 101.0, 110.0])
    np.testing.assert_allclose(log_density(7 * actual, 7 * quantiles), log_density(actual, quantiles), rtol=1e-9)
    np.testing.assert_allclose(pit(7 * actual, 7 * quantiles), pit(actual, quantiles), rtol=1e-9)


def test_the_pit_of_the_true_distribution_is_uniform() -> None:
    deviate = np.random.default_rng(4).standard_t(4, SESSIONS)
    found = pit(100 * np.exp(0.02 * deviate), repeated(100 * np.exp(0.02 * stats.t.ppf(LEVELS, 4))))
    np.testing.assert_allclose(found, stats.t.cdf(deviate, 4), atol=0.005)
    assert uniform_distance(found) < 1.63 / math.sqrt(SESSIONS)  # which chance exceeds once in a hundred
    wide = pit(100 * np.exp(0.02 * deviate), repeated(100 * np.exp(0.04 * stats.t.ppf(LEVELS, 4))))
    assert uniform_distance(wide) > 0.1


def test_at_a_quantile_the_pit_is_its_probability() -> None:
    quantiles = np.sort(np.random.default_rng(5).normal(100, 3, len(LEVELS)))
    np.testing.assert_allclose(pit(quantiles, repeated(quantiles, len(LEVELS))), LEVELS)


GAPS = st.lists(st.floats(1e-5, 0.05), min_size=len(LEVELS), max_size=len(LEVELS))


def pchip_with_straight_tails(knots: Values, logits: Values, at: float) -> tuple[float, float]:
    """The logit at a log price, and its slope there."""
    slopes = PchipInterpolator(knots, logits).derivative()(knots)
    slopes[0] = (logits[2] - logits[0]) / (knots[2] - knots[0])
    slopes[-1] = (logits[-1] - logits[-3]) / (knots[-1] - knots[-3])
    cubic = CubicHermiteSpline(knots, logits, slopes)
    near = min(max(at, knots[0]), knots[-1])
    slope = cubic.derivative()(near)
    return float(cubic(near) + slope * (at - near)), float(slope)


@given(GAPS, st.floats(-0.2, 1.0))
def test_value_and_slope_are_those_of_scipys_pchip_with_straight_tails(gaps: list[float], at: float) -> None:
    knots = np.cumsum(gaps)
    actual, quantiles = np.exp([at]), np.exp(knots)[np.newaxis]
    logit, _ = pchip_with_straight_tails(knots, LOGITS, at)
    assert pit(actual, quantiles)[0] == pytest.approx(expit(logit), rel=1e-6, abs=1e-12)
    of_density = np.isin(LEVELS, DENSITY_PROBABILITIES)
    logit, slope = pchip_with_straight_tails(knots[of_density], LOGITS[of_density], at)
    density = -np.logaddexp(0, -logit) - np.logaddexp(0, logit) + np.log(slope)
    assert log_density(actual, quantiles)[0] == pytest.approx(density, rel=1e-6, abs=1e-6)


@given(GAPS)
def test_no_price_has_less_than_no_density_and_the_probability_rises_with_the_price(gaps: list[float]) -> None:
    knots = np.cumsum(gaps)
    grid = np.linspace(knots[0] - 0.01, knots[-1] + 0.01, 500)
    quantiles = repeated(np.exp(knots), len(grid))
    assert np.isfinite(log_density(np.exp(grid), quantiles)).all()
    assert (np.diff(pit(np.exp(grid), quantiles)) >= 0).all()


def test_two_quantiles_near_each_other_do_not_make_a_tail_that_one_price_falls_out_of() -> None:
    quantiles = 100 * np.exp(0.02 * stats.norm.ppf(LEVELS))
    quantiles[0] = quantiles[1] * (1 - 1e-5)
    assert log_density(np.array([93.0]), quantiles[np.newaxis])[0] > -10


def test_quantiles_of_a_sample_give_a_density_near_that_of_what_it_was_drawn_from() -> None:
    """A quantile at every twentieth leaves a dozen of 250 values between two: their distance is mostly chance."""
    rng = np.random.default_rng(8)
    samples = np.sort(rng.normal(size=(4000, 250)), axis=1)
    quantiles = np.quantile(samples, LEVELS, axis=1).T
    deviate = rng.normal(size=4000)
    lost = stats.norm.logpdf(deviate).mean() - log_density(np.exp(deviate), np.exp(quantiles)).mean()
    assert lost < 0.04  # with all 25 it is 0.053


@pytest.mark.parametrize("seed", range(3))
def test_densities_of_the_log_price_sum_to_one(seed: int) -> None:
    knots = np.cumsum(np.random.default_rng(seed).uniform(0.001, 0.01, len(LEVELS)))
    grid = np.linspace(-0.3, 0.5, 20_001)
    densities = np.exp(log_density(np.exp(grid), repeated(np.exp(knots), len(grid))))
    assert np.trapezoid(densities, grid) == pytest.approx(1, abs=1e-4)


def test_a_session_without_a_distribution_has_no_score() -> None:
    quantiles = np.vstack([distribution.no_distributions(1), stats.norm.ppf(LEVELS, 100, 1)])
    for score in (crps, log_density, pit):
        assert [math.isnan(value) for value in score(np.array([100.0, 100.0]), quantiles)] == [True, False]
        assert math.isnan(score(np.array([math.nan]), quantiles[1:])[0])


def test_quantiles_that_are_equal_give_finite_scores() -> None:
    point = np.full((3, len(LEVELS)), 100.0)
    actual = np.array([99.0, 100.0, 101.0])
    assert pit(actual, point) == pytest.approx([0, 0.5, 1])
    assert np.isfinite(log_density(actual, point)).all()
    assert log_density(actual, point)[1] > 5
    half = np.where(LEVELS < 0.5, 100.0, stats.norm.ppf(LEVELS, 100, 1))
    assert np.isfinite(log_density(np.array([100.0]), half[np.newaxis])).all()


def test_a_price_that_cannot_be_has_no_density_but_a_crps() -> None:
    quantiles = stats.norm.ppf(LEVELS, 1, 1)[np.newaxis]
    assert math.isnan(log_density(np.array([1.0]), quantiles)[0])
    assert math.isfinite(crps(np.array([1.0]), quantiles)[0])


def test_each_session_is_scored_by_itself() -> None:
    rng = np.random.default_rng(6)
    actual, quantiles = 100 + rng.normal(size=50), np.sort(100 + rng.normal(size=(50, len(LEVELS))), axis=1)
    for score in (crps, log_density, pit):
        alone = [score(actual[row : row + 1], quantiles[row : row + 1])[0] for row in range(50)]
        np.testing.assert_array_equal(score(actual, quantiles), alone)


@pytest.mark.parametrize(
    ("quantiles", "told"),
    [
        (np.ones((2, 5)), "25 quantiles a session"),
        (np.ones(2), "25 quantiles a session"),
        (-np.tile(LEVELS, (2, 1)), "ascending"),
        (np.where(LEVELS < 0.5, np.nan, LEVELS)[np.newaxis], "all given or all missing"),
    ],
)
def test_quantiles_that_are_no_distribution_are_refused(quantiles: Values, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        distribution.check(quantiles)
