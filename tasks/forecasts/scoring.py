"""Scores a model's recorded forecasts, logs each version's windows, and requests retraining where it is due."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from model.errors import NothingInProduction
from model.evaluation.monitoring import Advice, Window, advise, rolling
from model.market.calendar import ExchangeCalendar
from model.market.prices import Prices
from tasks.forecasts.kept_figures import Figures, KeptFigures, total_of
from tasks.forecasts.score_run import drift_of, is_unwritten, log_windows
from tasks.forecasts.summary import ForecastSummary, judge_rows, summarise
from tasks.ledger.forecasts import Ledger
from tasks.ledger.retraining_requests import RetrainingRequest, RetrainingRequests
from tasks.ledger.totals import Totals
from tasks.prices.request import calendar_for
from tasks.registry.registry import Registry
from tasks.registry.version import RegisteredVersion
from tasks.settings import Settings
from tasks.system.lock import locked
from tasks.tracking.client import Tracking

# Only versions with a price filled in so shortly before the newest are looked at. If a run is killed after filling in,
# the runs of the next days complete its work.
LATELY = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored(ForecastSummary):
    """The scores of a model's forecasts, version by version, and whether to retrain.

    production: the version in Production; None where there is none
    windows:    version number -> its windows, one for each scored session; for the version in Production and those with
                new outcomes
    advice:     on the version in Production
    asked:      whether this call recorded a request to retrain; False if there was one already
    runs:       version number -> id of the MLflow run with its windows
    """

    production: RegisteredVersion | None
    windows: Mapping[int, tuple[Window, ...]]
    advice: Advice
    asked: bool
    runs: Mapping[int, str]


def score_forecasts(
    tracking: Tracking,
    model: str,
    prices: Prices,
    now: datetime,
    *,
    draw: bool = True,
) -> Scored:
    """Judge a model's recorded forecasts, log what is new, and request retraining where it is due.

    Windows and advice are of the forecasts of the next session alone.

    The forecasts are read here, not passed in: Prefect inspects every value of a task's arguments.

    draw: whether to draw the figures of what is new, too
    """
    registry = Registry(tracking)
    calendar = calendar_for(prices.security, tracking.settings, prices.sessions)
    rows = Ledger(tracking.settings.ledger_uri).rows(model, horizon=None)
    summary = summarise(model, rows, tracking.settings.gate.min_evidence)
    place = Totals(tracking.settings.ledger_uri).place
    KeptFigures(tracking.settings, place).write(total_of(summary), Figures.of(summary))
    try:
        production = registry.production(model, now)
    except NothingInProduction:
        production = None
    with locked(tracking.settings, f"score-{model}", among=tracking.settings.ledger_uri):
        windows, runs = {}, {}
        for number in _lately(summary, production):
            version = registry.find(model, number)  # anew: another process may have logged more while this one waited
            made = [row for row in summary.counted if row.version == number]
            is_there = production is not None and number == production.version
            if not made or not version:
                continue
            if not (is_there or is_unwritten(version, max(row.session for row in made), draw=draw)):
                continue
            judged = judge_rows(made)
            drifts = drift_of(tracking, version, judged, prices, tracking.settings.score)
            windows[number] = rolling(judged, drifts, tracking.settings.score)
            runs[number] = log_windows(tracking, registry, version, windows[number], summary, draw=draw)
        watched = () if production is None else windows.get(production.version, ())
        advice, asked = _ask(tracking.settings, registry, production, watched, calendar, now)
    return Scored(
        model=model,
        rows=summary.rows,
        counted=summary.counted,
        judged=summary.judged,
        live=summary.live,
        needed=summary.needed,
        further=summary.further,
        production=production,
        windows=windows,
        advice=advice,
        asked=asked,
        runs=runs,
    )


def _lately(summary: ForecastSummary, production: RegisteredVersion | None) -> list[int]:
    """The versions to log: the one in Production, and those with prices filled in lately; others are logged already."""
    filled = [(row.observed_at, row.version) for row in summary.counted if row.version and row.observed_at]
    newest = max((at for at, _ in filled), default=None)
    lately = {version for at, version in filled if newest is not None and at >= newest - LATELY}
    return sorted(lately if production is None else {*lately, production.version})


def _ask(
    settings: Settings,
    registry: Registry,
    production: RegisteredVersion | None,
    windows: tuple[Window, ...],
    calendar: ExchangeCalendar,
    now: datetime,
) -> tuple[Advice, bool]:
    if production is None:
        return Advice(retrain=False, reasons=("No version is in Production.",)), False
    requests = RetrainingRequests(settings.ledger_uri)
    last = requests.newest(production.model)
    since = None if last is None or not windows else _sessions_between(calendar, last.session, windows[-1].session)
    advice = advise(windows, since, settings.score)
    if not advice.retrain:
        return advice, False
    session, reasons = windows[-1].session, "\n".join(advice.reasons)
    request = RetrainingRequest(
        model=production.model, session=session, version=production.version, at=now, reasons=reasons
    )
    asked = requests.ask(request)
    if asked:
        registry.note(production, {"retrain": f"requested after {session}:\n{reasons}"})
    return advice, asked


def _sessions_between(calendar: ExchangeCalendar, first: date, last: date) -> int:
    """How many sessions `last` is after `first`; 0 where it is not after."""
    return max(0, len(calendar.sessions(first, last)) - 1)
