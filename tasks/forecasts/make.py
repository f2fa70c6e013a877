"""The forecast of the next session, made with a registered version."""

from dataclasses import replace
from datetime import datetime

from model.evaluation.baselines import naive_forecast, naive_forecasts
from model.market.calendar import ExchangeCalendar
from model.market.prices import Prices
from tasks.ledger.forecasts import RecordedForecast
from tasks.registry.version import RegisteredVersion
from tasks.settings import Settings
from tasks.tracking.model_artifact import load_forecaster


def make_forecast(
    version: RegisteredVersion, prices: Prices, column: str, settings: Settings, now: datetime, stale: bool = False
) -> RecordedForecast:
    """Forecast the session after the newest of `prices`, in dollars, with the naive forecasts beside it.

    It is late if that session has begun by `now`: its Open may be known then.
    """
    exchange = prices.security.exchange
    calendar = ExchangeCalendar(exchange, settings.extra_closures.get(exchange, ()))
    naive_name, naive = naive_forecast(prices, column)
    session = calendar.next_session(prices.last)
    made = load_forecaster(version.model_uri).predict(replace(prices, following=session))
    intervals = made.intervals()
    widest = max(intervals, default=None)
    lower, upper = (None, None) if widest is None else intervals[widest]
    return RecordedForecast(
        model=version.model,
        version=version.version,
        ticker=prices.security.ticker,
        column=column,
        as_of=prices.last,
        session=session,
        forecast=float(made.values[-1]),
        lower=lower,
        upper=upper,
        level=None if widest is None else widest / 100,
        naive=naive,
        naive_name=naive_name,
        source=prices.source,
        stale=stale,
        run_id=version.run_id,
        fingerprint=prices.fingerprint,
        made_at=now,
        intervals=intervals,
        naives={name: float(values[0]) for name, values in naive_forecasts(prices, column, 1).items()},
        late=now >= calendar.opens(session),
    )
