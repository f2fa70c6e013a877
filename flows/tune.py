"""Tune: try changes of a preset on sessions before those of a proof, and write the best of them as a preset."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from prefect import flow

from flows.runs.artifacts import flow_run_tags
from flows.runs.clock import now
from flows.runs.fetch import fetch
from flows.runs.final_state import completed
from flows.runs.progress import tuning_progress
from flows.runs.series import fetch_series
from flows.runs.side_by_side.trials import run_trials
from flows.runs.story import log_preset, log_waiting, start_run
from model.config import ForecasterConfig, PriceRequest, WrittenRequest
from model.evaluation.split import Split
from model.presets import preset_label
from model.tuning.sessions import tuning_split
from model.tuning.space import space_around, with_values
from model.tuning.trial import TrialResult
from tasks.backtest.tuning.open import is_on_record, open_study, study_key
from tasks.backtest.tuning.result import about_study, check_free, place_of, write_tuned
from tasks.backtest.tuning.runs import log_trial, study_run
from tasks.backtest.tuning.study import best_of
from tasks.prefect_tasks import connect_task
from tasks.prices.fetch import FetchedPrices
from tasks.prices.request import resolve
from tasks.settings import read_settings
from tasks.settings.written_config import WrittenConfig
from tasks.system.cluster.choose import cluster_for
from tasks.system.cluster.processors import processes_to_fit
from tasks.system.lock import queued
from tasks.tracking.experiment import shown
from tasks.tracking.run import run_url


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TuneReport:
    """The result of a tuning.

    study:   its name; its trials are in a file of that name in the state directory
    results: what each trial came to; the first is the base's
    best:    the number of the best trial; 0 where none was better than the base
    config:  the tuned preset; None where none was better
    file:    where it was written
    resumed: how many trials an earlier run had done
    """

    run_url: str
    study: str
    fetched: FetchedPrices
    split: Split
    base: ForecasterConfig
    results: tuple[TrialResult, ...]
    best: int
    config: ForecasterConfig | None
    file: Path
    resumed: int
    jobs: int
    seconds: dict[str, float]


@flow(name="tune", flow_run_name="tune {forecaster.column} of {request.ticker}", persist_result=False)
def tune(
    request: WrittenRequest = PriceRequest(),
    forecaster: WrittenConfig = ForecasterConfig(),
    trials: int = 50,
    output: str | None = None,
    again: bool = False,
    jobs: int | None = None,
) -> TuneReport:
    """Try changes of a preset, and write the best of them as a preset of your own.

    Args:
        request: The prices to use: of which security, from which source, as known on which day.
        forecaster: What is tuned: a preset with your changes. It forecasts a distribution, as anchored does.
        trials: How many configurations are tried, the preset itself among them.
        output: The file of the preset that comes of it. Empty: one in the state directory.
        again: Begin another study, even if there is one of the same preset, security and seed.
        jobs: How many processes try at the same time. None: one for each processor, or GPU.
    """
    seconds = start_run()
    settings, at = read_settings(), now()
    space_around(forecaster)
    log_preset(forecaster)
    # What is tuned changes the next session's forecasts alone: the others are fitted without a network.
    ahead, forecaster = forecaster.horizon, forecaster.model_copy(update={"horizon": (1,)})
    with cluster_for(settings.cluster, jobs or processes_to_fit(), fits=True) as cluster:
        fetched = fetch(resolve(request, settings, at), settings, at, "train")
        fetched = fetch_series(fetched, forecaster.series, request, settings, at, "train")
        prices, column = fetched.prices, forecaster.column
        ticker, key = prices.security.ticker, study_key(prices, forecaster, request)
        file = place_of(settings, forecaster.preset, ticker, column, output)
        check_free(file, key)
        tracking = connect_task(settings)
        with queued(settings, f"tune-{key}", now(), log_waiting):

            def split_for(first: date | None) -> Split:
                return tuning_split(prices, forecaster, settings.proof, first)

            study, split = open_study(settings, key, prices, forecaster, split_for, again=again)
            resumed = len(study.results())
            with study_run(tracking, study, split, forecaster, flow_run_tags() | fetched.tags()) as run:
                with tuning_progress(resumed, trials) as show:

                    def done(number: int, result: TrialResult) -> None:
                        log_trial(run, study, number, result, with_values(forecaster, result.values))
                        show(number, result)

                    used = run_trials(study, trials, split, forecaster, cluster, settings, done)
                results = study.results()
                model = settings.model_name(ticker, column)
                configs = [with_values(forecaster, result.values) for result in results]
                proven = {at for at in range(1, len(configs)) if is_on_record(settings, model, configs[at])}
                best = best_of(results, proven)
                config = None
                if best:
                    about = about_study(key, ticker, column, len(results))
                    config = write_tuned(file, configs[best].model_copy(update={"horizon": ahead}), about, key)
                run.log_metrics({f"best_{name}": value for name, value in shown(results[best].metrics).items()})
    report = TuneReport(
        run_url=run_url(settings, run.experiment_id, run.run_id),
        study=study.name,
        fetched=fetched,
        split=split,
        base=forecaster,
        results=results,
        best=best,
        config=config,
        file=file,
        resumed=resumed,
        jobs=used,
        seconds=seconds,
    )
    said = "none was better than the preset" if config is None else f"{preset_label(config)}, written to {file.name}"
    return completed(report, f"{len(results)} trials: {said}")
