"""Makes the forecasts: by a registered version, of each of its horizons; else by the best naive distribution."""

import logging
from dataclasses import replace
from datetime import date, datetime

import numpy as np

from model.artifact.series_input import SeriesInput
from model.errors import ConfigurationError, TomorrowError, TooFewPrices, UsageError
from model.evaluation.baselines import (
    FEWEST_CHANGES,
    best_naive_distribution,
    naive_forecast,
    naive_forecasts,
)
from model.evaluation.decision import Verdict
from model.evaluation.distribution import median
from model.forecaster.forecasts import Forecasts
from model.market.calendar import LONGEST_HOLIDAYS
from model.market.prices import Prices
from tasks.forecasts.further import further_forecasts, naive_quantiles_ahead
from tasks.ledger.forecasts import RecordedForecast
from tasks.prices.fetch import series_sources
from tasks.prices.request import calendar_for
from tasks.prices.sources.files.series import FROM_FILE
from tasks.registry.version import RegisteredVersion
from tasks.settings import Settings
from tasks.tracking.checked_files import trained_as
from tasks.tracking.client import Tracking
from tasks.tracking.model_artifact import load_forecaster
from tasks.tracking.run_inputs import run_config

logger = logging.getLogger(__name__)


def make_forecasts(
    version: RegisteredVersion, prices: Prices, column: str, settings: Settings, now: datetime, stale: bool = False
) -> tuple[RecordedForecast, ...]:
    """Forecast the session after the newest of `prices`, then the version's further horizons, with the naive forecasts.

    They are late if that session has begun by `now`, since its Open may be known then. UsageError where the version was
    trained on later sessions. ConfigurationError where its files are not those that were registered, or the forecast is
    implausible: what is recorded cannot be removed.
    """
    trained = trained_as(settings, version.model_uri, version.source)
    if trained.as_of > prices.last:
        raise _too_new(version, prices, trained.as_of)
    session, _ = _session(prices, settings, now)
    loaded = load_forecaster(settings, version.model_uri, version.source)
    made = loaded.predict(replace(prices, following=session))
    _check_plausible(version, float(made.values[-1]), prices, settings)
    row = _record(version.model, made, prices, column, settings, now, stale)
    without = ", ".join(loaded.without(prices)) or None
    row = replace(row, version=version.version, run_id=trained.run_id, without=without)
    calendar = calendar_for(prices.security, settings, prices.sessions)
    no_skill = {ahead for ahead, known in version.further.items() if known.verdict == Verdict.NO_SKILL}
    return row, *further_forecasts(row, made.further, prices, calendar, no_skill)


def make_naive_forecast(
    model: str, prices: Prices, column: str, settings: Settings, now: datetime, stale: bool = False
) -> RecordedForecast:
    """The best naive distribution of the session after the newest of `prices`, for a model with none in Production.

    It is late by the same rule as any forecast. TooFewPrices where there are too few for a distribution.
    """
    _, quantiles = best_naive_distribution(prices, column)
    if not bool(np.isfinite(quantiles).all()):
        raise TooFewPrices(
            f"prices of {prices.security.ticker}",
            have=f"{len(prices)} sessions",
            need=f"more than {FEWEST_CHANGES}, for the distribution of past changes",
            remedy="give more history",
        )
    made = Forecasts(values=median(quantiles[np.newaxis]), quantiles=quantiles[np.newaxis])
    return _record(model, made, prices, column, settings, now, stale)


def known_later(version: RegisteredVersion, prices: Prices, settings: Settings) -> date | None:
    """The newest session that a version was trained on, if that is later than `prices`, so it may not forecast.

    From the ledger, not from a tag; ConfigurationError where the ledger does not have the version.
    """
    as_of = trained_as(settings, version.model_uri, version.source).as_of
    return as_of if as_of > prices.last else None


def series_of_version(
    tracking: Tracking, version: RegisteredVersion | None
) -> tuple[tuple[SeriesInput, ...], set[str]]:
    """The other series that a version takes as inputs; none where its run cannot be read. And which came from files.

    It then forecasts without them, which is said like everything that a forecast lacks.
    """
    from mlflow.exceptions import MlflowException

    if version is None:
        return (), set()
    try:
        run_id = trained_as(tracking.settings, version.model_uri, version.source).run_id
        series = run_config(tracking, run_id, version.model_uri).forecaster.series
        sources = series_sources(tracking.client.get_run(run_id).data.tags) if series else {}
    except (MlflowException, OSError, TomorrowError, ValueError) as error:
        logger.warning("%s %s: which series it takes cannot be read: %s", version.model, version.named, error)
        return (), set()
    # One whose source is not known may have been from a file, and at Yahoo another thing may have its name.
    return series, {each.name for each in series if sources.get(each.name, FROM_FILE).startswith(FROM_FILE)}


def _too_new(version: RegisteredVersion, prices: Prices, as_of: date) -> UsageError:
    return UsageError(
        f"forecast of {prices.security.ticker} by {version.model} {version.named}",
        have=f"it is asked for as of {prices.last}, and the version was trained on sessions up to {as_of}",
        need="a version that knows nothing after the day that it forecasts from; nothing was recorded",
        remedy=f"forecast as of {as_of} or later; for earlier days use `tomorrow backtest`",
    )


def _check_plausible(version: RegisteredVersion, forecast: float, prices: Prices, settings: Settings) -> None:
    newest, most, money = float(prices.column("Close")[-1]), settings.prices.largest_move, prices.money
    move = forecast / newest - 1
    if abs(move) <= most:
        return
    raise ConfigurationError(
        f"forecast of {prices.security.ticker} by {version.model} {version.named}",
        have=f"{money.price(forecast)}, {100 * move:+,.0f} % of the newest Close, {money.price(newest)}",
        need=f"a price within {100 * most:g} % of it (prices.largest_move); nothing was recorded",
        remedy=f'its files may be damaged: tomorrow rollback {version.model} --reason "...", or tomorrow train --again',
    )


def _record(
    model: str, made: Forecasts, prices: Prices, column: str, settings: Settings, now: datetime, stale: bool
) -> RecordedForecast:
    """The newest of the forecasts as a row of the ledger, without a version."""
    session, begins = _session(prices, settings, now)
    naive_name, naive = naive_forecast(prices, column)
    intervals = made.intervals()
    widest = max(intervals, default=None)
    lower, upper = (None, None) if widest is None else intervals[widest]
    return RecordedForecast(
        model=model,
        version=None,
        ticker=prices.security.ticker,
        currency=prices.security.unit,
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
        run_id="",
        fingerprint=prices.fingerprint,
        made_at=now,
        intervals=intervals,
        quantiles=made.distribution(),
        explanation=made.explanation,
        naives={name: float(values[0]) for name, values in naive_forecasts(prices, column, 1).items()},
        naive_quantiles=naive_quantiles_ahead(prices, column, 1),
        late=now >= begins,
    )


def _session(prices: Prices, settings: Settings, now: datetime) -> tuple[date, datetime]:
    """The session after the newest of `prices`, and the time from which a forecast of it is late.

    If the exchange's calendar is not sure, and `prices` were cut, their next row tells which session it was.
    """
    calendar = calendar_for(prices.security, settings, prices.sessions)
    session = calendar.following(prices.last, calendar.last_completed(now))
    known = prices.following
    # A row far ahead has a wrong date; it is not the next session.
    if known is not None and not calendar.knows_all and known - prices.last <= LONGEST_HOLIDAYS:
        seen = np.append(prices.sessions, np.datetime64(known, "D"))
        calendar = calendar_for(prices.security, settings, seen)
        session = known if calendar.newest(known) == known else session
    return session, calendar.opens(session)
