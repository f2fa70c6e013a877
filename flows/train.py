"""Train: fetch prices, fit, evaluate beside the naive forecasts, log, register, and ask the gate."""

from dataclasses import dataclass, replace

from prefect import flow

from flows.promote import consider
from flows.runs.alarms import alarm_failure
from flows.runs.artifacts import flow_run_tags, link_training
from flows.runs.clock import now
from flows.runs.fetch import fetch
from flows.runs.final_state import completed
from flows.runs.on_schedule import on_schedule
from flows.runs.progress import training_progress
from flows.runs.series import add_series
from flows.runs.story import log_accepted, log_decision, log_errors, log_preset, log_waiting, log_windows, start_run
from flows.runs.wording import decision_sentence
from model.config import EvaluationConfig, ForecasterConfig, PriceRequest, WrittenRequest
from model.evaluation.decision import Decision, DecisionWord
from model.evaluation.split import Split
from model.forecaster.scaling import sessions_needed
from tasks.backtest.proofs import KeptProof
from tasks.backtest.shared_networks import KeptFit, with_network
from tasks.ledger.kept_files import Trained
from tasks.prefect_tasks import (
    begin_anew_task,
    check_earlier_prices_task,
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
    shared_fit_task,
    split_task,
)
from tasks.prices.fetch import FetchedPrices
from tasks.prices.request import resolve
from tasks.registry.registry import Registry
from tasks.registry.ruling import Ruling
from tasks.registry.version import KEY, RegisteredVersion
from tasks.settings import read_settings
from tasks.settings.own_presets import check_rules
from tasks.settings.written_config import WrittenConfig
from tasks.system.cluster.one_of_several import is_one_of_several
from tasks.system.lock import queued, user_name
from tasks.tracking.client import Tracking
from tasks.tracking.run import run_url
from tasks.tracking.run_inputs import RunConfig
from tasks.training.cache_key import training_key
from tasks.training.earlier_prices import accepted_tags
from tasks.training.previous import WITHIN, run_tags
from tasks.training.run import TrainingResults, start_training_run


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainReport:
    """The result of a training; `version` is as the gate's decision left it.

    proof:    of its configuration; None where the gate had decided before, or prices are too few for any
    key:      two trainings with one key are the same
    repeated: whether a previous run trained it, so that nothing was trained now
    """

    run_id: str
    run_url: str
    version: RegisteredVersion
    fetched: FetchedPrices
    split: Split
    config: ForecasterConfig
    results: TrainingResults
    decision: Decision
    proof: KeptProof | None
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
    request: WrittenRequest = PriceRequest(),
    forecaster: WrittenConfig = ForecasterConfig(),
    evaluation: EvaluationConfig = EvaluationConfig(),
    again: bool = False,
    anew: str = "",
) -> TrainReport:
    """Train one forecaster, register it, and let the gate decide whether it goes to Production.

    A training is the same as a previous one if prices, configuration and code are the same. It is repeated only with
    `again`; where the previous one was killed before the gate had decided, the gate decides now.

    Args:
        request: The prices to use: of which security, from which source, as known on which day.
        forecaster: What is trained: a preset with your changes. Leave a field empty to keep the preset's.
        evaluation: Which sessions it is judged on: the newest, or a calendar month.
        again: Train again even if an identical training exists.
        anew: To begin a model that was deleted in MLflow again: the reason. It is recorded. Empty for any other model.
    """
    seconds = start_run()
    settings, at = read_settings(), now()
    check_rules(settings, forecaster.preset)
    fetched = fetch(resolve(request, settings, at), settings, at, "train")
    forecaster, fetched = add_series(forecaster, fetched, request, evaluation, settings, at)
    rows = sessions_needed(forecaster)
    split = split_task(fetched.prices, evaluation, rows)
    log_windows(split, rows)
    log_preset(forecaster)
    tracking = connect_task(settings)
    forecaster = with_network(tracking, forecaster)
    shared = shared_fit_task(tracking, forecaster, split.train.last)
    model = settings.model_name(split.prices.security.ticker, forecaster.column)
    key = training_key(split, forecaster, evaluation, load_backend_task(), shared.fit.before if shared else None)
    with queued(settings, f"train-{model}", now(), log_waiting, among=settings.ledger_uri):
        if anew:
            ruling = Ruling(decision=DecisionWord.REMOVED, reasons=(f"Begun anew: {anew}",), at=now(), by=user_name())
            begin_anew_task(Registry(tracking), model, ruling)
        made_by = flow_run_tags()
        previous = find_previous_task(tracking, model, key, now(), again=again, within=made_by.get(WITHIN))
        accepted: tuple[str, ...] = ()
        if previous is None:
            accept = request.accept_restatement
            accepted = check_earlier_prices_task(tracking, model, split.prices, now(), accept=accept)
        log_accepted(accepted)
        fetched, split = fetched.noted(accepted), replace(split, prices=split.prices.noted(accepted))
        config = RunConfig(request=request, forecaster=forecaster, evaluation=evaluation)
        tags = run_tags(settings, model, key) | made_by | fetched.tags() | accepted_tags(accepted)
        trained, results = previous or _fit_and_register(tracking, split, config, tags, shared)
        log_errors(results.metrics, split.prices.money)
        version, decision, proof = consider(tracking, trained, accepted)
    log_decision(version, decision)
    url = run_url(settings, tracking.experiment_id(), trained.run_id)
    link_training(url, version, forecaster, results.metrics, split.prices.money, split.n_test, decision)
    report = TrainReport(
        run_id=trained.run_id,
        run_url=url,
        version=version,
        fetched=fetched,
        split=split,
        config=forecaster,
        results=results,
        decision=decision,
        proof=proof,
        key=key,
        repeated=previous is not None,
        seconds=seconds,
    )
    return completed(report, f"{decision_sentence(version, decision)}{' (trained before)' if report.repeated else ''}")


def _fit_and_register(
    tracking: Tracking, split: Split, config: RunConfig, tags: dict[str, str], shared: KeptFit | None
) -> tuple[RegisteredVersion, TrainingResults]:
    """Fit, evaluate, log and register; `tags` are the run's, the training's key among them."""
    forecaster, fit = config.forecaster, shared.fit if shared else None
    named = shared.tags() if shared else {}
    with start_training_run(tracking, split, forecaster, tags | named) as run:
        log_setup_task(run, tracking.settings, split, config)
        start = choose_start_task(tracking, run, split, forecaster, now())
        with training_progress(forecaster.training.most_epochs) as show:
            fitted = fit_task(split.train, forecaster, (run.log_epoch, show), start.parent, fit)
        judged = evaluate_task(fitted.predict, split, forecaster.column)
        model = tracking.settings.model_name(split.prices.security.ticker, forecaster.column)
        trained = Trained(model=model, run_id=run.run_id, key=tags[KEY], as_of=split.prices.last)
        model_uri = package_task(tracking.settings, trained, fitted, split.train)
        results = log_results_task(
            run, tracking.settings, split, fitted, judged, model_uri, draw=not is_one_of_several()
        )
        kept = start.tags() | named | {KEY: tags[KEY]}
        return register_task(Registry(tracking), tracking.settings, run, split, fitted, model_uri, kept), results
