"""Other series beside the prices of a run: fetched like these, or read from the request's files."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal

from prefect.logging import get_run_logger

from flows.runs.progress import proof_progress
from flows.runs.story import log_prices
from model.artifact.series_input import SeriesInput
from model.config import EvaluationConfig, ForecasterConfig, PriceRequest
from model.errors import PricesError, PricesUnavailable, UsageError
from model.forecaster.scaling import sessions_needed
from model.market.calendar import code_of
from model.presets import says_series
from tasks.prefect_tasks import connect_task, fall_back_task, patient_fetch_task, proven_better_task, split_task
from tasks.prices.fetch import FetchedPrices
from tasks.prices.other_series import FoundSeries, check_there, fault_of, from_files, of_prices, to_fetch, with_series
from tasks.settings import Settings
from tasks.settings.series import SeriesRule

# However many sessions an older snapshot lacks, what it has may still be of the newest five.
ANY = 100_000


def fetch_series(
    fetched: FetchedPrices,
    series: Sequence[SeriesInput],
    request: PriceRequest,
    settings: Settings,
    now: datetime,
    occasion: Literal["train", "predict"],
    own: Collection[str] = (),
) -> FetchedPrices:
    """The prices with other series beside.

    A training needs all of them. A forecast is made without those that cannot be had, and a note says so.

    own: those that were from a file when the version was trained; they are not asked for at Yahoo
    """
    if not series:
        return fetched
    found = []
    for each in series:
        try:
            found.append(_find(each, fetched, request, settings, now, occasion, own=each.name in own))
        except (PricesError, UsageError) as error:
            if occasion == "train":
                raise
            get_run_logger().warning(f"Forecast without the series {each.name}: {error}")
            found.append(FoundSeries(series=each, fault=fault_of(error)))
    beside = with_series(fetched, found, settings)
    if occasion == "train":
        check_there(series, beside.prices)
    return beside


def add_series(
    forecaster: ForecasterConfig,
    fetched: FetchedPrices,
    request: PriceRequest,
    evaluation: EvaluationConfig,
    settings: Settings,
    now: datetime,
) -> tuple[ForecasterConfig, FetchedPrices]:
    """What is trained, with the series that it or mlflow.yaml names; and the prices with these beside.

    One that says that it takes none, as with `--set series=[]`, gets none from mlflow.yaml.
    Where those of mlflow.yaml cannot be had, or make it no better, it is trained without them, and the log says so.
    """
    rule = None if says_series(forecaster) else _rule(forecaster, fetched, request, settings)
    if rule is None:
        return forecaster, fetch_series(fetched, forecaster.series, request, settings, now, "train")
    named = ", ".join(each.name for each in rule.inputs)
    try:
        beside = fetch_series(fetched, rule.inputs, request, settings, now, "train")
    except (PricesError, UsageError) as error:
        get_run_logger().warning(f"Trained without {named}, which mlflow.yaml names: {error}")
        return forecaster, fetched
    config = forecaster.model_copy(update={"series": rule.inputs})
    if rule.where_proven:
        # Nothing is chosen on the test period.
        train = split_task(beside.prices, evaluation, sessions_needed(config)).train
        with proof_progress() as show:
            better, figures = proven_better_task(connect_task(settings), train, config, now, show)
        get_run_logger().info(f"Trained {'with' if better else 'without'} {named}: {figures}")
        if not better:
            return forecaster, fetched
    return config, beside


def _rule(
    forecaster: ForecasterConfig, fetched: FetchedPrices, request: PriceRequest, settings: Settings
) -> SeriesRule | None:
    """The rule of mlflow.yaml for a training; None where there is none, or nowhere to have series from."""
    exchange = fetched.prices.security.exchange
    if not (request.source == "yahoo" or request.series_files):
        return None
    if forecaster.inputs != "changes" or forecaster.training.shared != "own":
        return None
    for rule in settings.series:
        on = not rule.exchanges or code_of(exchange) in map(code_of, rule.exchanges)
        if forecaster.preset in rule.presets and on:
            return rule
    return None


def _find(
    each: SeriesInput,
    fetched: FetchedPrices,
    request: PriceRequest,
    settings: Settings,
    now: datetime,
    occasion: Literal["train", "predict"],
    *,
    own: bool,
) -> FoundSeries:
    prices = fetched.prices
    in_file = from_files(each, request, prices, settings, now)
    if in_file is not None:
        return in_file
    resolved = to_fetch(each, request, prices, settings, now, own=own)
    try:
        beside = patient_fetch_task(settings.prices.retries)(resolved, settings, now)
    except PricesUnavailable as error:
        allowed = settings.prices.stale_sessions.train if occasion == "train" else ANY
        beside = fall_back_task(resolved, settings, now, allowed, error)
    log_prices(beside)
    return FoundSeries(series=each, observed=of_prices(each, beside.prices, settings))
