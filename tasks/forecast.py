"""The forecast of the next session, made with a registered version."""

from datetime import datetime

from model.baselines import naive_forecast
from model.calendar import ExchangeCalendar
from model.prices import Prices
from tasks.package import load_forecaster
from tasks.record import RecordedForecast
from tasks.settings import Settings
from tasks.version import RegisteredVersion


def make_forecast(
    version: RegisteredVersion, prices: Prices, column: str, settings: Settings, now: datetime, stale: bool = False
) -> RecordedForecast:
    """Forecast the session after the newest of `prices`, in dollars, with the naive forecast beside it."""
    exchange = prices.security.exchange
    calendar = ExchangeCalendar(exchange, settings.extra_closures.get(exchange, ()))
    naive_name, naive = naive_forecast(prices, column)
    return RecordedForecast(
        model=version.model,
        version=version.version,
        ticker=prices.security.ticker,
        column=column,
        as_of=prices.last,
        session=calendar.next_session(prices.last),
        forecast=float(load_forecaster(version.model_uri).forecast(prices)[0]),
        naive=naive,
        naive_name=naive_name,
        source=prices.source,
        stale=stale,
        run_id=version.run_id,
        fingerprint=prices.fingerprint,
        made_at=now,
    )
