"""What the gate finds of a configuration's backtests: the same configuration, prices and code, and nothing of later."""

from typing import Any

import numpy as np
import pytest

from model.backtest.plan import BacktestConfig, plan_backtest, with_seed
from model.config import ForecasterConfig, preset
from model.evaluation.evaluation import Evaluation
from model.market.prices import Prices
from tasks.backtest.gate_evidence import past_origins
from tasks.backtest.parent_run import log_plan
from tasks.backtest.runs import open_backtest
from tasks.tracking.client import Tracking
from tests.market import changed_from
from tests.tasks.backtest.test_runs import LAST_OF_MARCH, PRICES, carry_out, plan

TUTORIAL = ForecasterConfig(preset="tutorial")
UNTIL_MARCH = PRICES.until(PRICES.day(LAST_OF_MARCH - 1))


@pytest.fixture
def find(tracking: Tracking) -> Any:
    def look(config: ForecasterConfig = TUTORIAL, known: Prices = UNTIL_MARCH, most: int = 1000) -> Evaluation | None:
        return past_origins(tracking.client, tracking.experiment_id(), config, known, most)

    return look


def backtested(tracking: Tracking, **options: Any) -> None:
    made = plan(**options)
    with open_backtest(tracking, made, {}) as runs:
        log_plan(runs.parent, made)
        carry_out(runs)


def months(found: Evaluation | None) -> list[str]:
    return [] if found is None else [str(month) for month in np.unique(found.sessions.astype("datetime64[M]"))]


def test_the_forecasts_of_the_same_configuration_are_found_by_seed(tracking: Tracking, find: Any) -> None:
    assert find() is None
    backtested(tracking)
    close = UNTIL_MARCH.column("Close")
    for seed in (0, 1):
        found = find(with_seed(TUTORIAL, seed))
        assert months(found) == ["2020-01", "2020-02", "2020-03"]
        np.testing.assert_allclose(found.forecast, close[-len(found.sessions) - 1 : -1] + seed / 100)
    assert find(with_seed(TUTORIAL, 2)) is None
    assert find(TUTORIAL.model_copy(update={"lookback": 39})) is None


def test_the_newest_origins_come_first_and_only_as_many_as_are_wanted(tracking: Tracking, find: Any) -> None:
    backtested(tracking)
    assert months(find(most=1)) == ["2020-03"]
    assert months(find(most=23)) == ["2020-02", "2020-03"]


def test_nothing_counts_that_was_not_known_or_was_forecast_of_other_prices(tracking: Tracking, find: Any) -> None:
    backtested(tracking)
    assert months(find(known=PRICES.until(PRICES.day(LAST_OF_MARCH - 2)))) == ["2020-01", "2020-02"]
    february = int(np.searchsorted(PRICES.sessions, np.datetime64("2020-02-10")))
    restated = changed_from(UNTIL_MARCH, february)
    assert months(find(known=restated)) == ["2020-01"]


@pytest.mark.parametrize(("config", "window"), [(TUTORIAL, "sliding:1"), (preset("daily"), "expanding")])
def test_what_a_training_would_have_fitted_otherwise_is_no_evidence(
    config: ForecasterConfig, window: str, tracking: Tracking, find: Any
) -> None:
    made = plan_backtest(PRICES, BacktestConfig(first="2020-02", last="2020-03", window=window), [config])
    with open_backtest(tracking, made, {}) as runs:
        assert len(carry_out(runs)) == 2
    assert find(config) is None
