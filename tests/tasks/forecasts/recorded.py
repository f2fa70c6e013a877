"""Forecasts as the ledger holds them, of a made-up market."""

from datetime import UTC, datetime, time

from model.evaluation.baselines import naive_forecasts
from tasks.ledger.forecasts import RecordedForecast
from tests.market import make_prices

PRICES = make_prices(60)


def forecast(row: int, version: int = 1) -> RecordedForecast:
    """A forecast of the session in that row of the prices, made from what was known before."""
    known = PRICES.until(PRICES.day(row - 1))
    naives = {name: float(values[0]) for name, values in naive_forecasts(known, "Open", 1).items()}
    return RecordedForecast(
        model="TEST-Open",
        version=version,
        ticker="TEST",
        column="Open",
        as_of=known.last,
        session=PRICES.day(row),
        forecast=100.0 + row,
        naive=naives["newest_Close"],
        naive_name="newest_Close",
        source="csv",
        stale=False,
        run_id="",
        fingerprint="",
        made_at=datetime.combine(known.last, time(22), UTC),
        naives=naives,
        late=False,
    )
