"""The line of `tomorrow status` on the forecasts of a model."""

from dataclasses import replace

from flows.cli.commands.status import ForecastStatus, _forecasts_lines
from tasks.forecasts.summary import summarise
from tasks.ledger.forecasts import RecordedForecast
from tests.tasks.forecasts.recorded import distributed, forecast


def lines(*rows: RecordedForecast) -> list[str]:
    """What is shown of these."""
    return _forecasts_lines(ForecastStatus.model_validate(summarise("TEST-Open", rows, 20)))


def test_the_claim_stands_below_the_scores() -> None:
    made = distributed(forecast(40))
    first, second = lines(replace(made, observed=140.0, observed_at=made.made_at))
    assert first.startswith("TEST-Open: 1 made, newest $140.00 for ")
    assert ", 100% within the 95% interval" in first
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
