"""What happened is looked up in the dollars of the forecast, or not at all."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from model.evaluation.baselines import naive_forecasts
from model.market.prices import COLUMNS, Prices
from tasks.forecasts.outcomes import find_outcomes
from tasks.forecasts.summary import summarise
from tasks.ledger.forecasts import Ledger
from tests.tasks.forecasts.recorded import PRICES, ahead, crps_by_hand, distributed, forecast


def scaled(factor: float, rows: slice = slice(None)) -> Prices:
    values = PRICES.values.copy()
    values[rows, : COLUMNS.index("Volume")] *= factor
    sessions = PRICES.sessions.copy()
    return Prices(security=PRICES.security, source="csv", origin="a test", sessions=sessions, values=values)


def test_the_price_of_each_session_that_is_over_is_found() -> None:
    known, waiting = forecast(40), replace(forecast(59), session=PRICES.last + timedelta(days=5))
    found = find_outcomes([known, waiting, replace(known, version=2, observed=1.0, observed_at=known.made_at)], PRICES)
    assert found.known == ((known, PRICES.column("Open")[40]),)
    assert (found.waiting, found.notes) == (1, ())


@pytest.mark.parametrize("factor", [0.5, 1 / 3, 10.0])
def test_after_a_split_what_came_is_told_in_the_dollars_of_the_forecast(factor: float) -> None:
    made = forecast(40)
    ((row, price),) = find_outcomes([made], scaled(factor)).known
    assert row == made
    assert price == pytest.approx(PRICES.column("Open")[40])
    assert "multiplied by" in find_outcomes([made], scaled(factor)).notes[0]


@pytest.mark.parametrize("factor", [0.5, 1 / 3, 10.0])
def test_after_a_split_the_score_of_a_distribution_is_what_it_was(tmp_path: Path, factor: float) -> None:
    made = distributed(forecast(40))
    came = float(PRICES.column("Open")[40])
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.append(made)
    (row,) = ledger.fill_in(find_outcomes(ledger.rows(), scaled(factor)).known, at=made.made_at)
    assert row.quantiles == made.quantiles, "they stay in the dollars of the forecast"
    summary = summarise(made.model, [row], 20)
    assert summary.crps == pytest.approx(crps_by_hand(made.quantiles, came))
    naive = min(crps_by_hand(quantiles, came) for quantiles in made.naive_quantiles.values())
    assert summary.naive_crps == pytest.approx(naive)


def test_after_a_split_what_came_five_sessions_ahead_is_told_in_the_dollars_of_the_forecast() -> None:
    naives = naive_forecasts(PRICES.until(PRICES.day(39)), "Open", 1, 5)
    made = replace(
        forecast(40),
        horizon=5,
        session=PRICES.day(44),
        naives={name: float(values[0]) for name, values in naives.items()},
    )
    ((_, price),) = find_outcomes([made], scaled(0.5)).known
    assert price == pytest.approx(PRICES.column("Open")[44])


def test_a_newest_price_that_was_corrected_a_little_is_no_split() -> None:
    corrected = scaled(1.001, slice(39, 40))
    ((_, price),) = find_outcomes([forecast(40)], corrected).known
    assert price == PRICES.column("Open")[40]


def test_a_past_that_is_another_now_scores_nothing() -> None:
    restated = scaled(1.2, slice(39, 40))
    found = find_outcomes([forecast(40)], restated)
    assert found.known == ()
    assert found.notes == (
        f"The forecast of {PRICES.day(40)} (version 1) is not scored: it was made from other prices.",
    )


def test_what_came_is_found_for_a_naive_forecast_as_well() -> None:
    naive = replace(forecast(40), version=None)
    assert find_outcomes([naive], PRICES).known == ((naive, PRICES.column("Open")[40]),)
    (note,) = find_outcomes([naive], scaled(0.5)).notes
    assert f"since {PRICES.day(40)} was forecast (naive): the actual price" in note


def test_a_split_cannot_be_told_from_one_price_alone() -> None:
    made = forecast(40)
    old = replace(made, naives={"newest_Close": made.naive})
    assert find_outcomes([old], PRICES).known == ((old, PRICES.column("Open")[40]),)
    assert find_outcomes([old], scaled(0.5)).known == ()


def test_what_came_of_a_later_session_is_found_and_counted_apart() -> None:
    made, waiting = forecast(40), forecast(58)
    week = ahead(made)
    found = find_outcomes([made, week, ahead(waiting)], PRICES)
    assert found.known == ((made, PRICES.column("Open")[40]), (week, PRICES.column("Open")[44]))
    assert (found.of_next_session, found.waiting, found.waiting_further) == (1, 0, 1)
    (note,) = find_outcomes([week], scaled(0.5)).notes
    assert f"since {PRICES.day(44)} was forecast (version 1, 5 sessions ahead): the actual price" in note
