"""The forecast of the next session, made with a registered version."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from model.baselines import naive_forecast
from model.calendar import ExchangeCalendar
from model.prices import Prices
from tasks.package import load_forecaster
from tasks.record import RecordedForecast
from tasks.settings import Settings
from tasks.version import RegisteredVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeForecast:
    """A forecast for the ledger, which holds its widest interval, and all its intervals.

    intervals: level in per cent -> lower and upper bound in dollars; empty where the version has none
    """

    row: RecordedForecast
    intervals: Mapping[int, tuple[float, float]]

    def intervals_of(self, recorded: RecordedForecast) -> Mapping[int, tuple[float, float]]:
        """The intervals, if they belong to what the ledger holds: an older row may have been made otherwise."""
        same = (recorded.lower, recorded.upper, recorded.level) == (self.row.lower, self.row.upper, self.row.level)
        return self.intervals if same else {}


def make_forecast(
    version: RegisteredVersion, prices: Prices, column: str, settings: Settings, now: datetime, stale: bool = False
) -> MadeForecast:
    """Forecast the session after the newest of `prices`, in dollars, with the naive forecast beside it."""
    exchange = prices.security.exchange
    calendar = ExchangeCalendar(exchange, settings.extra_closures.get(exchange, ()))
    naive_name, naive = naive_forecast(prices, column)
    made = load_forecaster(version.model_uri).predict(prices)
    intervals = made.intervals()
    widest = max(intervals, default=None)
    lower, upper = (None, None) if widest is None else intervals[widest]
    row = RecordedForecast(
        model=version.model,
        version=version.version,
        ticker=prices.security.ticker,
        column=column,
        as_of=prices.last,
        session=calendar.next_session(prices.last),
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
    )
    return MadeForecast(row=row, intervals=intervals)
