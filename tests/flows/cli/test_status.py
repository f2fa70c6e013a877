"""The line of `tomorrow status` on the forecasts of a model."""

from dataclasses import fields, replace

import pytest

from flows.cli.commands.record.forecast_status import ForecastStatus, forecasts_lines
from tasks.forecasts.kept_figures import Figures
from tasks.forecasts.overview import ForecastOverview
from tasks.forecasts.summary import summarise
from tasks.ledger.forecasts import RecordedForecast
from tests.tasks.forecasts.recorded import ahead, crps_by_hand, distributed, forecast


def status(*rows: RecordedForecast) -> ForecastStatus:
    summary = summarise("TEST-Open", rows, 20)
    figures = Figures.of(summary)
    known = {each.name: getattr(figures, each.name) for each in fields(Figures)}
    newest = summary.newest
    overview = ForecastOverview(model=summary.model, forecasts=summary.forecasts, newest=newest, cone=(), **known)
    return ForecastStatus.model_validate(overview)


def lines(*rows: RecordedForecast) -> list[str]:
    """What is shown of these."""
    return forecasts_lines(status(*rows))


def test_the_claim_stands_below_the_scores() -> None:
    made = distributed(forecast(40))
    first, second = lines(replace(made, observed=140.0, observed_at=made.made_at))
    assert first.startswith("TEST-Open: 1 made, newest $140.00 for ")
    assert ", 100 % within the 95 % interval" in first
    assert second == "  Live: not distinguishable from chance (evidence 1.0 to 1 on 1 forecast)."


def test_what_the_naive_distribution_forecast_is_counted_alone() -> None:
    made = replace(distributed(forecast(40)), version=None)
    (waiting,) = lines(made)
    assert waiting.endswith("; none scored")
    (scored,) = lines(replace(made, observed=140.0, observed_at=made.made_at))
    assert scored.endswith("; 1 scored, none of them by a version")


def test_prices_and_scores_are_in_the_money_of_the_ledger() -> None:
    made = replace(distributed(forecast(40)), naive=140.0, currency="JPY")
    first, _ = lines(replace(made, observed=140.0, observed_at=made.made_at))
    assert first.startswith("TEST-Open: 1 made, newest 140 JPY for ")
    assert "$" not in first
    (bare,) = lines(replace(forecast(40), currency=None))
    assert bare.startswith("TEST-Open: 1 made, newest 140.00 for ")


def test_later_sessions_have_lines_and_figures_of_their_own_and_change_nothing_of_the_next_one() -> None:
    made = distributed(forecast(40))
    seen = replace(made, observed=140.0, observed_at=made.made_at)
    week, month = ahead(made, 5, 300.0), replace(ahead(made, 21), version=None)
    alone, (first, live, *further) = lines(seen), lines(seen, week, month)
    assert [first, live] == alone
    assert further[0].startswith("  5 sessions ahead: 1 scored, CRPS $")
    assert ", 0 % within the 95 % interval. Live: not distinguishable from chance (evidence 1.0 to 1 on 1" in further[0]
    assert further[1:] == ["  21 sessions ahead: none scored"]
    answer = status(seen, week, month).model_dump()
    five, later = answer.pop("horizons")
    assert (five["horizon"], five["scored"], five["coverage"], five["level"]) == (5, 1, 0.0, 0.95)
    assert five["crps"] == pytest.approx(crps_by_hand(week.quantiles, 300.0))
    assert (later["horizon"], later["scored"], later["crps"]) == (21, 0, None)
    assert status(seen).model_dump() == answer | {"horizons": ()}
