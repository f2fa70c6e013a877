"""Rolling windows, drift and the request to train again, with answers known beforehand."""

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from pydantic import ValidationError

from model.evaluation.distribution import no_distributions
from model.evaluation.evaluation import Evaluation
from model.evaluation.metrics import ks_distance
from model.evaluation.monitoring import Monitoring, Window, advise, returns_drift, rolling
from tests.distributions import around
from tests.market import make_prices, weekdays

MONITORING = Monitoring(window=4, windows=3, breaches=2, cooldown=5, drift_sessions=30)


LENIENT = Monitoring(window=4, windows=3, breaches=2, max_coverage_gap=1)


def evaluation(errors: list[float], naive: list[float], half: float = 1.0) -> Evaluation:
    """With a half width of 0 a distribution is a single point, whose CRPS is the size of its error."""
    n = len(errors)
    actual = np.full(n, 100.0)
    return Evaluation(
        sessions=weekdays(n, date(2020, 1, 1)),
        actual=actual,
        forecast=actual + errors,
        naive={"newest_Close": actual + naive},
        quantiles=around(actual + errors, half, 1.5 * half),
        naive_quantiles={"constant_250": around(actual + naive, half, 1.5 * half)},
        unit="USD",
    )


def windows(
    errors: list[float], naive: list[float], half: float = 1.0, monitoring: Monitoring = MONITORING
) -> tuple[Window, ...]:
    judged = evaluation(errors, naive, half)
    return rolling(judged, np.full(len(errors), math.nan), monitoring)


def test_a_window_holds_the_newest_forecasts_up_to_its_session() -> None:
    given = windows([3.0, -1.0, 1.0, -1.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0], 0.0, LENIENT)
    assert [len(window.judged.sessions) for window in given] == [1, 2, 3, 4, 4]
    assert given[3].judged.rmse == pytest.approx(math.sqrt(3.0))
    assert given[4].judged.rmse == pytest.approx(1.0)
    assert [window.session for window in given][-1] == date(2020, 1, 7)
    # A window that is not full says nothing; a full one says every limit that it breaches.
    assert [bool(window.breaches) for window in given] == [False, False, False, True, False]
    assert given[3].breaches == (
        "CRPS $1.500 is 1.50 times that of the newest Close with its last 250 changes, $1.000: at most 1.05 allowed.",
    )
    assert given[4].metrics()["rolling_rmse"] == pytest.approx(1.0)
    assert "drift" not in given[4].metrics()
    assert given[3].metrics()["rolling_crps"] == pytest.approx(1.5)
    assert given[3].metrics()["rolling_naive_crps"] == pytest.approx(1.0)


def test_a_window_has_the_scores_of_its_newest_forecast_too() -> None:
    figures = windows([3.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 2.0], 0.0)[-1].metrics()
    assert (figures["crps"], figures["naive_crps"], figures["pit"]) == pytest.approx((0.0, 2.0, 0.5))


def test_the_newest_forecast_stands_beside_what_was_best_on_the_window() -> None:
    judged = evaluation([1.0] * 4, [1.0, 1.0, 1.0, 3.0], 0.0)
    other = around(judged.actual + np.array([2.0, 2.0, 2.0, 0.5]), 0.0, 0.0)
    both = replace(judged, naive_quantiles={**judged.naive_quantiles, "constant_500": other})
    figures = rolling(both, np.full(4, math.nan), MONITORING)[-1].metrics()
    assert figures["rolling_naive_crps"] == pytest.approx(1.5)
    assert figures["naive_crps"] == pytest.approx(3.0)


def test_intervals_that_hold_nothing_breach() -> None:
    (first, second) = windows([2.0] * 4, [2.0] * 4)[-1].breaches
    assert first.startswith("80 % interval: covered 0 of 4 prices")
    assert second.startswith("95 % interval: covered 0 of 4 prices")


def test_neither_errors_of_the_median_nor_drift_breach_anything() -> None:
    # Wide distributions, as good as the naive ones; the point forecast is far from the naive one, and always too high.
    judged = evaluation([2.0] * 4, [2.0] * 4, 3.0)
    poor = replace(judged, naive={"newest_Close": judged.actual})
    (*_, window) = rolling(poor, np.full(4, 0.9), MONITORING)
    assert (window.judged.skill, window.judged.bias, window.drift) == (-math.inf, 2.0, 0.9)
    assert window.breaches == ()


def test_without_distributions_nothing_breaches() -> None:
    judged = replace(evaluation(BAD * 2, [0.1] * 4), quantiles=no_distributions(4))
    (*_, window) = rolling(judged, np.full(4, math.nan), MONITORING)
    assert window.breaches == ()
    assert window.metrics().keys().isdisjoint({"crps", "pit", "rolling_crps"})


def test_a_perfect_forecast_breaches_nothing() -> None:
    assert windows([0.0] * 4, [0.0] * 4, 0.0)[-1].breaches == ()


def test_beside_a_perfect_naive_distribution_any_error_breaches() -> None:
    (told,) = windows([1.0] * 4, [0.0] * 4, 0.0, LENIENT)[-1].breaches
    assert "infinitely many times" in told


GOOD, BAD = [0.1, -0.1], [5.0, -5.0]


@pytest.mark.parametrize(
    ("errors", "asks"),
    [
        (GOOD * 5, False),
        (GOOD * 2 + BAD[:1], False),  # one window of the newest three
        (GOOD * 2 + BAD, True),  # two of them, the newest too
        (BAD + GOOD * 2, False),  # the newest is sound again
    ],
)
def test_retraining_is_asked_for_by_enough_windows_and_the_newest_among_them(errors: list[float], asks: bool) -> None:
    assert advise(windows(errors, [1.0] * len(errors)), None, MONITORING).retrain is asks


@pytest.mark.parametrize(("since", "asks"), [(None, True), (0, True), (1, False), (5, False), (6, True)])
def test_after_a_request_there_is_none_until_the_cooldown_is_over(since: int | None, asks: bool) -> None:
    advice = advise(windows(BAD * 3, [1.0] * 6), since, MONITORING)
    assert advice.retrain is asks
    assert ("no repeat for 5" in advice.reasons[-1]) is not asks


def test_before_a_window_is_full_there_is_too_little_to_judge_by() -> None:
    assert advise((), None, MONITORING).reasons == ("Not enough scored forecasts yet: 0 of 4.",)
    assert advise(windows(BAD, [1.0] * 2), None, MONITORING).reasons == ("Not enough scored forecasts yet: 2 of 4.",)


def test_the_distance_of_two_samples_is_the_largest_between_their_distribution_functions() -> None:
    # Worked by hand: at 2 the first has 2/4 of its values, the second 0; at 3, 3/4 against 1/4.
    one, other = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0, 5.0, 6.0])
    assert ks_distance(one, other) == pytest.approx(0.5)
    assert ks_distance(one, one) == 0
    assert ks_distance(one, one + 10) == 1
    assert math.isnan(ks_distance(one, np.array([])))


def test_drift_is_of_returns_and_neither_of_levels_nor_of_dollars() -> None:
    prices = make_prices(200)
    training = prices.until(prices.day(119))
    days = [prices.day(row) for row in (120, 148, 149, 199)]
    drift = returns_drift(training, prices, days, MONITORING)
    # Thirty returns after the training part are there from its thirtieth session on.
    assert [math.isnan(value) for value in drift] == [True, True, False, False]
    halved = replace(prices, values=prices.values * 0.5)
    np.testing.assert_allclose(returns_drift(training, halved, days, MONITORING), drift)
    closes = np.log(prices.column("Close"))
    assert drift[3] == pytest.approx(ks_distance(np.diff(closes[:120]), np.diff(closes)[-30:]))


def test_more_breaches_than_windows_can_never_be() -> None:
    with pytest.raises(ValidationError, match="4 of 3 windows is impossible"):
        Monitoring(windows=3, breaches=4)
