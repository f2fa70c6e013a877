"""The windows of many securities: each is as of the security alone, and none knows what came after its day."""

from datetime import date

import numpy as np

from model.artifact.recipes import ChangeRecipe
from model.config import PRESETS
from model.forecaster.scaling import fit_recipe
from model.forecaster.windows import make_windows
from model.market.prices import Prices
from model.training.pool import joined, pool_of
from tests.market import changed_from, make_prices

ANCHORED = PRESETS["anchored"]


def recipe_of(prices: Prices) -> ChangeRecipe:
    found = fit_recipe(prices, ANCHORED)
    assert isinstance(found, ChangeRecipe)
    return found


def test_each_window_is_that_of_its_security_alone() -> None:
    series = [make_prices(n, seed) for n, seed in ((90, 0), (150, 1), (120, 2))]
    pool = joined([pool_of(prices, ANCHORED) for prices in series])
    windows = pool.windows(np.arange(len(pool), dtype=np.float64))
    assert (np.diff(windows.sessions.astype(int)) >= 0).all()
    assert windows.offsets.tolist() == list(range(len(pool)))
    alone = [make_windows(prices, recipe_of(prices)) for prices in series]
    assert len(pool) == sum(map(len, alone))
    found = {
        (str(day), float(target)): inputs
        for day, target, inputs in zip(windows.sessions, windows.targets, windows.inputs, strict=True)
    }
    for one in alone:
        for day, target, inputs in zip(one.sessions, one.targets, one.inputs, strict=True):
            np.testing.assert_equal(found[str(day), float(target)], inputs)


def test_what_is_known_before_a_day_does_not_depend_on_what_comes_then() -> None:
    prices = make_prices(150)
    day = prices.day(100)
    pools = [pool_of(known, ANCHORED).before(day) for known in (prices, changed_from(prices, 100))]
    assert len(pools[0]) == 100 - recipe_of(prices).rows
    assert pools[0].sessions.max() < np.datetime64(day)
    for name in ("starts", "targets", "state", "sessions"):
        one, other = (getattr(pool, name) for pool in pools)
        np.testing.assert_equal(one, other)
    one, other = (pool.windows(np.zeros(len(pool))).inputs for pool in pools)
    np.testing.assert_equal(one, other)


def test_before_the_first_session_there_is_none() -> None:
    prices = make_prices(90)
    assert len(pool_of(prices, ANCHORED).before(date(2000, 1, 1))) == 0
