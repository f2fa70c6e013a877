"""Train: fetch prices, fit, evaluate beside the naive forecasts, log, register, and ask the gate."""

import sys
from dataclasses import dataclass

from prefect import flow, runtime
from prefect.logging import get_run_logger

from flows.promote import consider
from flows.runs.alarms import alarm_failure
from flows.runs.artifacts import flow_run_tags, link_training
from flows.runs.clock import now
from flows.runs.fetch import fetch
from flows.runs.on_schedule import on_schedule
from flows.runs.progress import training_progress
from flows.runs.story import log_decision, log_errors, log_repeated, log_windows, start_run
from model.config import EvaluationConfig, ForecasterConfig, PriceRequest, WrittenConfig
from model.evaluation.gate import Decision
from model.evaluation.split import Split
from model.forecaster.scaling import sessions_needed
from tasks.prefect_tasks import (
    choose_start_task,
    connect_task,
    evaluate_task,
    find_previous_task,
    fit_task,
    load_backend_task,
    log_results_task,
    log_setup_task,
    package_task,
    register_task,
    split_task,
)
from tasks.prices.fetch import FetchedPrices
from tasks.prices.request import resolve
from tasks.registry.registry import Registry
from tasks.registry.ruling import is_settled, recorded_decision
from tasks.registry.version import RegisteredVersion
from tasks.settings import read_settings
from tasks.system.lock import queued
from tasks.tracking.client import Tracking
from tasks.tracking.run import run_url
from tasks.tracking.run_inputs import RunConfig
from tasks.training.cache_key import KEY, training_key
from tasks.training.previous import close_killed, run_tags
from tasks.training.run import TrainingResults, start_training_run


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainReport:
    """What a training came to; `version` is as the gate's decision left it.

    key:      what makes the training the same as another
    repeated: whether it was done before, so that nothing was trained now
    """

    run_id: str
    run_url: str
    version: RegisteredVersion
    fetched: FetchedPrices
    split: Split
    config: ForecasterConfig
    results: TrainingResults
    decision: Decision
    key: str
    repeated: bool
    seconds: dict[str, float]


@flow(
    name="train",
    flow_run_name="train {forecaster.column} of {request.ticker}",
    persist_result=False,
    on_failure=[alarm_failure],
    on_crashed=[alarm_failure],
)
@on_schedule
def train(
    request: PriceRequest = PriceRequest(),
    forecaster: WrittenConfig = ForecasterConfig(),
    evaluation: EvaluationConfig = EvaluationConfig(),
    again: bool = False,
) -> TrainReport:
    """Train one forecaster, register it, and let the gate decide whether it goes to Production.

    What was trained before, from the same prices and configuration by the same code, is not trained `again` unless
    that is asked for; where it was killed before the gate had decided, it is gone on with.
    """
    seconds = start_run()
    settings, at = read_settings(), now()
    fetched = fetch(resolve(request, settings, at), settings, at, "train")
    split = split_task(fetched.prices, evaluation, sessions_needed(forecaster))
    log_windows(split, sessions_needed(forecaster))
    tracking = connect_task(settings)
    registry = Registry(tracking)
    model = settings.model_name(split.prices.security.ticker, forecaster.column)
    key = training_key(split, forecaster, evaluation, load_backend_task())
    with queued(settings, f"train-{model}", now(), _say):
        close_killed(tracking, registry, model, now())
        previous = find_previous_task(tracking.client, registry, model, key)
        if previous is not None and again and is_settled(previous[0]):
            previous = None
        config = RunConfig(request=request, forecaster=forecaster, evaluation=evaluation)
        tags = run_tags(settings, model, key) | flow_run_tags() | fetched.tags()
        if previous is not None:
            log_repeated(previous[0])
        trained, results = previous or _fit_and_register(tracking, split, config, tags, key)
        log_errors(results.metrics)
        if previous is not None and is_settled(trained):
            version, decision = trained, recorded_decision(trained)
        else:
            version, decision = consider(tracking, trained)
    url = run_url(settings, tracking.experiment_id(), trained.run_id)
    log_decision(version, decision)
    link_training(url, version, results.metrics, split.n_test, decision)
    return TrainReport(
        run_id=trained.run_id,
        run_url=url,
        version=version,
        fetched=fetched,
        split=split,
        config=forecaster,
        results=results,
        decision=decision,
        key=key,
        repeated=previous is not None,
        seconds=seconds,
    )


def _fit_and_register(
    tracking: Tracking, split: Split, config: RunConfig, tags: dict[str, str], key: str
) -> tuple[RegisteredVersion, TrainingResults]:
    """Fit, evaluate, log and register."""
    forecaster = config.forecaster
    with start_training_run(tracking, split, forecaster, tags) as run:
        log_setup_task(run, split, config)
        start = choose_start_task(tracking, run, split, forecaster, now())
        with training_progress(forecaster.training.most_epochs) as show:
            fitted = fit_task(split.train, forecaster, (run.log_epoch, show), start.parent)
        judged = evaluate_task(fitted.predict, split, forecaster.column)
        model_uri = package_task(run.run_id, fitted, split.train)
        results = log_results_task(run, split, fitted, judged, model_uri)
        tags = start.tags() | {KEY: key}
        return register_task(Registry(tracking), tracking.settings, run, split, fitted, model_uri, tags), results


def _say(line: str) -> None:
    """Show a line in the flow run's log and on the terminal, which Prefect's log does not reach."""
    get_run_logger().warning(line)
    if runtime.deployment.id is None:
        sys.stderr.write(f"tomorrow: {line}\n")
