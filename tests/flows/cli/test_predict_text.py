"""What `tomorrow predict` prints of a forecast, in the money of its prices."""

from dataclasses import replace

import pytest

from flows.cli.commands.predict import predict_result
from flows.predict import PredictReport
from tasks.prices.fetch import FetchedPrices
from tests.tasks.forecasts.recorded import PRICES, distributed, forecast


@pytest.mark.parametrize(
    ("currency", "first", "interval", "tails"),
    [
        ("USD", ": $140.00", "80 %: $139.00 to $141.00", "1 in 100: below $137.25; 1 in 100: above $142.75"),
        ("GBp", ": 140.00 GBp", "80 %: 139.00 to 141.00 GBp", "below 137.25 GBp; 1 in 100: above 142.75 GBp"),
        ("JPY", ": 140 JPY", "80 %: 139 to 141 JPY", "below 137 JPY; 1 in 100: above 143 JPY"),
        (None, ": 140.00", "80 %: 139.00 to 141.00", "below 137.25; 1 in 100: above 142.75"),
    ],
)
def test_a_forecast_is_printed_and_told_in_its_currency(
    currency: str | None, first: str, interval: str, tails: str
) -> None:
    made = replace(distributed(forecast(40)), naive=140.0, naives={}, currency=currency)
    fetched = FetchedPrices(prices=PRICES)
    told = predict_result(PredictReport(version=None, fetched=fetched, forecast=made, created=True, seconds={}))
    lines = str(told.text).splitlines()
    assert lines[0].endswith(first)
    assert lines[1] == f"  {interval}"
    assert lines[3].endswith(tails)
    assert told.answer.model_dump()["currency"] == currency
