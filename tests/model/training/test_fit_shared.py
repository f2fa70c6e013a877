"""A shared network knows nothing of the days after its own, and forecasts for securities that it has never seen."""

from datetime import date, timedelta

import numpy as np
import pytest

from model.artifact.numpy_network import NumpyNetwork
from model.config import PRESETS, ForecasterConfig
from model.forecaster.windows import Windows
from model.market.prices import Prices, Values
from model.training import fit_shared as sharing
from model.training.fit import train_forecaster
from model.training.fit_shared import SharedFit, cutoff_of, fit_shared, shared_configuration
from model.training.pool import Pool, joined, pool_of
from tests.market import changed_from, make_prices

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("on_tensorflow")]

SERIES = [make_prices(200, seed) for seed in range(3)]
UNSEEN = make_prices(220, 9)
BEFORE = SERIES[0].day(150)


def config(shared: str = "shared", **changes: object) -> ForecasterConfig:
    """The preset, with two members and two epochs."""
    anchored = PRESETS["anchored"].model_dump()
    training = {**anchored["training"], "epochs": 2, "members": 2, "patience": None, "shared": shared, **changes}
    return ForecasterConfig.model_validate({**anchored, "training": training})


def pool_from(series: list[Prices]) -> Pool:
    return joined([pool_of(prices, config()) for prices in series])


@pytest.fixture(scope="module")
def fit() -> SharedFit:
    return fit_shared(pool_from(SERIES), shared_configuration(config()), BEFORE)


def test_what_happens_from_its_day_on_changes_no_digit_of_it(fit: SharedFit) -> None:
    changed = pool_from([changed_from(prices, 150) for prices in SERIES])
    again = fit_shared(changed, shared_configuration(config()), BEFORE)
    assert (again.branch, again.courses, again.windows) == (fit.branch, fit.courses, fit.windows)
    np.testing.assert_equal(again.weights, fit.weights)
    earlier = pool_from([changed_from(prices, 149) for prices in SERIES])
    assert fit_shared(earlier, shared_configuration(config()), BEFORE).branch != fit.branch


def test_a_security_that_was_not_among_them_is_forecast_by_it(fit: SharedFit) -> None:
    forecaster = train_forecaster(UNSEEN, config(), shared=fit)
    np.testing.assert_equal(forecaster.weights, fit.weights)
    assert (forecaster.recipe.to_json().count('"branch": {'), forecaster.courses) == (1, fit.courses)
    made = forecaster.predict(UNSEEN)
    assert (np.diff(made.quantiles[0]) > 0).all()
    assert made.quantiles[0][0] < UNSEEN.column("Close")[-1] < made.quantiles[0][-1]


def test_both_averages_it_with_networks_of_the_security_alone(fit: SharedFit) -> None:
    both = train_forecaster(UNSEEN, config("both"), shared=fit)
    own, shared = both.weights[:2], both.weights[2:]
    np.testing.assert_equal(shared, fit.weights)
    windows = np.random.default_rng(0).normal(size=(5, 20, 5)).astype(np.float32)
    assert isinstance(both.predictor, NumpyNetwork)
    outputs = both.predictor.predict_on_batch(windows).reshape(5, 4, 2)
    kept = both.network.predict_on_batch(windows).reshape(5, 4, 2)
    np.testing.assert_allclose(outputs, kept, atol=1e-5)
    assert not np.array_equal(own[0][0], own[1][0])
    # The own ones correct what is left after the shared branch, so they are not those of the security alone.
    alone = train_forecaster(UNSEEN, config("own"))
    assert not np.array_equal(alone.weights[0][0], own[0][0])


@pytest.mark.parametrize(("per_epoch", "seen"), [(40, 40), (10**6, None)])
def test_an_epoch_is_fitted_on_windows_drawn_anew_and_on_none_twice(
    per_epoch: int, seen: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[tuple[str, float]]] = []
    monkeypatch.setattr(sharing, "PER_EPOCH", per_epoch)
    given = Pool.windows

    def windows(pool: Pool, offsets: Values) -> Windows:
        drawn.append(list(zip(pool.sessions.astype(str).tolist(), pool.targets.tolist(), strict=True)))
        return given(pool, offsets)

    monkeypatch.setattr(Pool, "windows", windows)
    pool = pool_from(SERIES)
    made = fit_shared(pool, shared_configuration(config(members=1)), BEFORE)
    # The first ones are those with which the program is made.
    assert [len(epoch) for epoch in drawn] == [seen or made.windows] * 3
    assert all(len(set(epoch)) == len(epoch) for epoch in drawn)
    assert drawn[1] != drawn[2]


def test_the_newest_sessions_are_held_back_from_the_fit() -> None:
    pool = pool_from(SERIES).before(BEFORE)
    training = config(patience=3, held_back=10).training
    n = sharing._fitted_on(pool, training)
    assert len(pool) - n == 30  # ten sessions of three securities
    assert sharing._fitted_on(pool, config(patience=3).training) == len(pool) - len(pool) // 4


def test_it_is_refused_where_it_could_know_too_much_or_too_little(fit: SharedFit) -> None:
    first_allowed = UNSEEN.until(BEFORE)
    assert fit.refusal(first_allowed) is None
    too_early = UNSEEN.until(BEFORE - timedelta(days=1))
    assert too_early.last < BEFORE
    with pytest.raises(ValueError, match=f"fitted on sessions before {BEFORE}"):
        train_forecaster(too_early, config(), shared=fit)
    with pytest.raises(ValueError, match="there is None shared network"):
        train_forecaster(UNSEEN, config())
    with pytest.raises(ValueError, match="needs at least"):
        fit_shared(pool_from(SERIES), shared_configuration(config()), SERIES[0].day(70))


def test_how_it_is_used_makes_no_other_network() -> None:
    ways = [config("shared"), config("both"), config("both", seed=4, warm_start=True, shared_network="n0123456789a")]
    assert len({shared_configuration(way) for way in ways}) == 1
    assert shared_configuration(config(epochs=3)) != shared_configuration(config())


def test_further_horizons_make_no_other_network_since_they_need_none() -> None:
    further = config().model_copy(update={"horizon": (1, 5)})
    # The proof of the next session looks for the network without them.
    assert shared_configuration(further) == shared_configuration(config())


def test_it_ends_with_a_year() -> None:
    assert cutoff_of(date(2020, 1, 1)) == cutoff_of(date(2020, 12, 31)) == date(2020, 1, 1)
