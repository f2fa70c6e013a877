"""Train: fetch prices, fit, evaluate beside the naive forecasts, log, register, and ask the gate."""

from dataclasses import dataclass

from prefect import flow

from flows.clock import now
from flows.fetching import fetch
from flows.links import link_training, run_tags
from flows.progress import training_progress
from flows.promote import connect, consider
from flows.steps import start_timing, step
from model.config import EvaluationConfig, ForecasterConfig, PricesConfig
from model.evaluation import Evaluation
from model.forecaster import Forecaster, evaluate
from model.promotion import Decision
from model.scaling import sessions_needed
from model.split import Split, split_prices
from model.training import train_forecaster
from tasks.backend import load_backend
from tasks.obtain import Obtained
from tasks.package import log_forecaster
from tasks.register import Registry
from tasks.settings import read_settings
from tasks.track import run_url
from tasks.training_run import RunConfig, log_results, log_setup, register_trained, start_training_run
from tasks.version import RegisteredVersion

cut = step(split_prices, "split")
setup = step(log_setup, "log setup")
load = step(load_backend, "load backend")
fit = step(train_forecaster, "fit")
judge = step(evaluate, "evaluate")
package = step(log_forecaster, "package")
results = step(log_results, "log results")
register = step(register_trained, "register")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainReport:
    """What a training came to; `version` is as the gate's decision left it."""

    run_id: str
    run_url: str
    version: RegisteredVersion
    obtained: Obtained
    split: Split
    forecaster: Forecaster
    backend: str
    evaluation: Evaluation
    decision: Decision
    seconds: dict[str, float]


@flow(name="train", flow_run_name="train {forecaster.column} of {prices.ticker}", persist_result=False)
def train(
    prices: PricesConfig = PricesConfig(),
    forecaster: ForecasterConfig = ForecasterConfig(),
    evaluation: EvaluationConfig = EvaluationConfig(),
) -> TrainReport:
    """Train one forecaster, register it, and let the gate decide whether it goes to Production."""
    seconds = start_timing()
    settings = read_settings()
    obtained = fetch(prices, settings, now(), "train")
    split = cut(obtained.prices, evaluation, sessions_needed(forecaster))
    client = connect(settings)
    with start_training_run(client, settings, split, forecaster, run_tags() | obtained.tags()) as run:
        setup(run, split, RunConfig(prices=prices, forecaster=forecaster, evaluation=evaluation))
        backend = load()
        with training_progress(forecaster.training.most_epochs) as show:
            fitted = fit(split.train, forecaster, (run.log_epoch, show))
        judged = judge(fitted.predict, split, forecaster.column)
        model_uri = package(run.run_id, fitted, split.train)
        results(run, split, fitted, judged, model_uri)
        trained = register(Registry(client, settings), settings, run, split, fitted, model_uri)
    version, decision = consider(client, settings, trained)
    url = run_url(settings, run.experiment_id, run.run_id)
    link_training(url, version, judged, decision)
    return TrainReport(
        run_id=run.run_id,
        run_url=url,
        version=version,
        obtained=obtained,
        split=split,
        forecaster=fitted,
        backend=backend,
        evaluation=judged,
        decision=decision,
        seconds=seconds,
    )
