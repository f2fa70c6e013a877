"""Fit a shared network: fetch the prices of all securities, and fit on the sessions before each year that needs it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from prefect import flow, runtime
from prefect.logging import get_run_logger

from flows.runs.alarms import alarm_failure
from flows.runs.clock import now
from flows.runs.fetch import fetch
from flows.runs.final_state import completed
from flows.runs.progress import fetching_progress, training_progress
from flows.runs.story import log_preset, log_waiting, start_run
from model.backtest.proof import configuration_of, first_row, periods
from model.config import EvaluationConfig, ForecasterConfig, PriceRequest
from model.errors import PricesUnavailable, TomorrowError
from model.evaluation.split import split_prices
from model.forecaster.scaling import sessions_needed
from model.market.prices import Prices
from model.training.fit_shared import LEAST, cutoff_of, shared_configuration
from model.training.pool import Pool, joined, pool_of
from tasks.backtest.shared_networks import is_complete, mark_complete, missing_fits, named_network, network_id
from tasks.prefect_tasks import connect_task, fit_shared_task, keep_fit_task, load_backend_task
from tasks.prices.request import resolve
from tasks.settings import Settings, read_settings
from tasks.settings.written_config import WrittenConfig
from tasks.system.cluster.one_of_several import one_of_several
from tasks.system.lock import queued
from tasks.tracking.client import Tracking
from tasks.tracking.provenance import digest

# The share of the securities that may add nothing.
MOST_LEFT_OUT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Part:
    """What one security adds to it.

    before: the days before which it needs a fit
    """

    ticker: str
    fingerprint: str
    pool: Pool
    before: frozenset[date]


def _run_name() -> str:
    given = runtime.flow_run.parameters
    return f"fit shared network {given['forecaster'].column} of {len(given['requests'])} securities"


@flow(
    name="fit shared network",
    flow_run_name=_run_name,
    persist_result=False,
    on_failure=[alarm_failure],
    on_crashed=[alarm_failure],
)
def fit_shared_network(
    requests: tuple[PriceRequest, ...],
    forecaster: WrittenConfig = ForecasterConfig(),
    evaluation: EvaluationConfig = EvaluationConfig(),
) -> ForecasterConfig:
    """Fit one network on many securities, once for each year; what is kept is not fitted again.

    It returns the configuration with the network's id. A security whose prices cannot be used adds nothing; if these
    are more than one in ten, nothing is fitted.

    Args:
        requests: The prices to use, of each security.
        forecaster: What is trained: a preset with your changes, with training.shared.
        evaluation: Which sessions the forecasters are judged on: these are not fitted on.
    """
    start_run()
    settings = read_settings()
    log_preset(forecaster)
    tracking = connect_task(settings)
    config = named_network(forecaster, network_id(forecaster, [request.ticker for request in requests]))
    named = config.training.shared_network
    asked = _asked(requests, evaluation, settings)
    with queued(settings, f"shared-{named}", now(), log_waiting, among=settings.ledger_uri):
        if is_complete(tracking, config, asked):
            return completed(config, f"Shared network {named}: it is complete")
        parts = list(_parts(requests, config, evaluation, settings))
        needed = frozenset[date]().union(*(part.before for part in parts))
        missing = missing_fits(tracking, config, needed)
        if missing:
            load_backend_task()
            _fit(tracking, config, parts, missing)
        # Before a day with too few windows there is none.
        mark_complete(tracking, config, asked, needed.difference(missing_fits(tracking, config, needed)))
    return completed(config, f"Shared network {named}: {len(missing)} fits on {len(parts)} securities")


def _asked(requests: Sequence[PriceRequest], evaluation: EvaluationConfig, settings: Settings) -> str:
    """What decides which fits are needed, apart from the prices; these are looked at once a month."""
    newest = max(request.as_of or now().date() for request in requests)
    oldest = min(request.as_of or now().date() for request in requests)
    wanted = [evaluation.model_dump(mode="json"), settings.proof.model_dump(mode="json")]
    return f"{oldest:%Y-%m} to {newest:%Y-%m} {digest(wanted)[:12]}"


def _fit(tracking: Tracking, config: ForecasterConfig, parts: Sequence[_Part], missing: Sequence[date]) -> None:
    """Fit before each of these days for which there are enough windows, and keep that."""
    pool, network = joined([part.pool for part in parts]), shared_configuration(config)
    for before in missing:
        windows = len(pool.before(before))
        if windows < LEAST:
            get_run_logger().warning(f"No fit before {before}: {windows} windows, and at least {LEAST} are needed.")
            continue
        get_run_logger().info(f"Fit before {before}, on {windows} windows.")
        with training_progress(network.training.most_epochs) as show:
            fit = fit_shared_task(pool, network, before, show)
        keep_fit_task(tracking, config, fit, [(part.ticker, part.fingerprint) for part in parts])


def _parts(
    requests: Sequence[PriceRequest], config: ForecasterConfig, evaluation: EvaluationConfig, settings: Settings
) -> Iterator[_Part]:
    """What each security adds, in their order; at the end PricesUnavailable where too many of them add nothing."""
    errors: list[TomorrowError] = []
    with one_of_several(), fetching_progress(len(requests)) as show:
        for number, request in enumerate(requests, 1):
            if number > 1 and request.source == "yahoo":
                time.sleep(settings.prices.pause)
            at = now()
            try:
                prices = fetch(resolve(request, settings, at), settings, at, "train").prices
                yield _part(prices, config, evaluation, settings)
            except TomorrowError as error:
                get_run_logger().warning(f"{request.ticker} adds nothing: {error}")
                errors.append(error)
            show(number, request.ticker)
    if len(errors) > len(requests) * MOST_LEFT_OUT:
        raise PricesUnavailable(
            "the shared network",
            have=f"{len(errors)} of its {len(requests)} securities have no prices that can be used; the first: "
            f"{errors[0].subject}: {errors[0].have}",
            need="nine of ten securities with prices: the network is kept as it is fitted",
            remedy="run it again when they can be fetched, or leave those out that have none",
            source=requests[0].source,
        )


def _part(prices: Prices, config: ForecasterConfig, evaluation: EvaluationConfig, settings: Settings) -> _Part:
    train = split_prices(prices, evaluation, sessions_needed(config)).train
    start = first_row(prices, configuration_of(config), settings.proof)
    proven = () if start is None else periods(prices, start, settings.proof)
    newest = [train.last, *(prices.day(period.start - 1) for period in proven)]
    return _Part(
        ticker=prices.security.ticker,
        fingerprint=prices.fingerprint,
        pool=pool_of(prices, config),
        before=frozenset(map(cutoff_of, newest)),
    )
