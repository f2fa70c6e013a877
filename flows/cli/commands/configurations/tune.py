"""`tomorrow tune`: its options, its call, its JSON and its text."""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from flows.cli.command import command
from flows.cli.configuration import cluster_address, jobs, prepare
from flows.cli.options import ClusterAddress, Jobs, Preset, PriceOptions, TrainingOptions, count, flag, option, path
from flows.cli.result import Answer, CommandResult, lines, look, table
from model.errors import UsageError
from model.presets import changes, preset_label
from model.tuning.space import space_around

if TYPE_CHECKING:
    from rich.console import RenderableType

    from flows.tune import TuneReport
    from model.config import PriceRequest
    from tasks.settings import Settings

MOST_TRIALS = 1000
# How many of the best trials are shown.
SHOWN = 5


class TrialAnswer(Answer):
    """A trial; `crps` is null where it was ended early, after so many `epochs`."""

    number: int
    crps: float | None
    crps_skill: float | None
    epochs: int
    seconds: float
    processor_seconds: float
    values: dict[str, Any]


class JudgedPart(Answer):
    """The sessions that trials are judged on; each is fitted on all before them. The proof begins after the last."""

    sessions: int
    first: date
    last: date


class TuneAnswer(Answer):
    """The object of `tomorrow tune --json`.

    base:    what was tuned, with its CRPS; `best`: the best trial, which is the base where none was better
    preset:  the file that was written; null where none was better
    changed: what differs from the nearest built-in preset, by dotted key
    resumed: how many trials an earlier run had done
    """

    run_url: str
    study: str
    ticker: str
    column: str
    base: str
    base_crps: float | None
    best: TrialAnswer
    preset: str | None
    changed: dict[str, str]
    judged: JudgedPart
    trials: tuple[TrialAnswer, ...]
    pruned: int
    resumed: int
    jobs: int
    seconds: dict[str, float]


@command("tomorrow tune --ticker META --preset anchored --trials 50")
def tune(
    prices: PriceOptions,
    training: TrainingOptions,
    preset: Preset = "anchored",
    trials: Annotated[int, count("--trials", "How many configurations to try, the preset itself among them.")] = 50,
    output: Annotated[
        str | None,
        option(
            "--output",
            "FILE.yaml",
            "Where the best is written (default: in `presets` of the state directory).",
            parser=path,
        ),
    ] = None,
    again: Annotated[bool, flag("--again", "Begin another study, even if there is one of the same.")] = False,
    processes: Jobs = None,
    cluster: ClusterAddress = None,
) -> CommandResult:
    """Look for a better preset, on sessions before those of a proof alone, and write it as one of your own.

    To go on with a study that was interrupted, run the same command again.
    """
    wanted, base = prices.requests(), training.forecaster(preset)
    space_around(base)
    if len(wanted) > 1:
        raise UsageError(
            "--ticker", have=f"{len(wanted)} securities", need="one: a study is of one", remedy="tune one at a time"
        )
    if not 2 <= trials <= MOST_TRIALS:
        need = f"2 or more, the preset itself being the first, and {MOST_TRIALS} at most"
        raise UsageError("--trials", have=str(trials), need=need, remedy="for example --trials 50")
    workers = jobs(processes, fits=True)
    settings, requests = prepare(wanted)
    address = cluster_address(cluster, settings)
    from flows.cli.several import beside_server

    with beside_server(address, workers, fits=True):
        return _tuned(requests[0], settings, forecaster=base, trials=trials, output=output, again=again, jobs=workers)


def _tuned(request: "PriceRequest", settings: "Settings", **options: Any) -> CommandResult:
    from flows.runs.final_state import carry_out
    from flows.tune import tune as flow

    report: TuneReport = carry_out(flow, request=request, **options)
    answer = _answer(report)
    return CommandResult(answer, _text(report, answer, settings))


def _answer(report: "TuneReport") -> TuneAnswer:
    trials = tuple(
        TrialAnswer(
            number=number,
            crps=result.crps,
            crps_skill=result.metrics.get("crps_skill"),
            epochs=len(result.held_back),
            seconds=result.seconds,
            processor_seconds=result.processor_seconds,
            values=dict(result.values),
        )
        for number, result in enumerate(report.results)
    )
    split, security = report.split, report.split.prices.security
    return TuneAnswer(
        run_url=report.run_url,
        study=report.study,
        ticker=security.ticker,
        column=report.base.column,
        base=preset_label(report.base),
        base_crps=trials[0].crps,
        best=trials[report.best],
        preset=None if report.config is None else str(report.file),
        changed={} if report.config is None else changes(report.config),
        judged=JudgedPart(sessions=split.n_test, first=split.first_test, last=split.last_test),
        trials=trials,
        pruned=sum(trial.crps is None for trial in trials),
        resumed=report.resumed,
        jobs=report.jobs,
        seconds=report.seconds,
    )


def _text(report: "TuneReport", answer: TuneAnswer, settings: "Settings") -> "RenderableType":
    money, judged = report.split.prices.money, answer.judged
    done = sorted((trial for trial in answer.trials if trial.crps is not None), key=lambda trial: trial.crps or 0.0)
    return lines(
        *_result(report, answer),
        "",
        f"  tried    {len(answer.trials)} configurations, {answer.pruned} of them ended early"
        + (f"; {answer.resumed} by an earlier run" if answer.resumed else ""),
        f"  judged   on {judged.sessions} sessions, {judged.first} to {judged.last}; fitted on those before",
        "           the proof begins after them: no trial has seen one of its sessions",
        "",
        table(
            (f"{'the best trials':<16}", "CRPS", "values"),
            [
                (
                    f"{trial.number}{' (the preset)' if not trial.number else ''}",
                    money.score(trial.crps or 0.0),
                    _values(trial),
                )
                for trial in done[:SHOWN]
            ],
            indent=2,
        ),
        "",
        *_next(report, settings),
        *look(report.run_url, settings),
    )


def _result(report: "TuneReport", answer: TuneAnswer) -> Iterator[str]:
    if report.config is None:
        yield f"None of {len(answer.trials) - 1} changes was better than {answer.base}: no preset was written."
        return
    if answer.best.crps is None or not answer.base_crps:
        yield f"{report.config.preset}: better than {answer.base}, which has no CRPS on the sessions it was chosen on."
    else:
        gain = 1 - answer.best.crps / answer.base_crps
        below = f"a CRPS {gain:.1%} below that of {answer.base}"
        yield f"{report.config.preset}: {below}, on the sessions it was chosen on."
    yield f"  preset   {report.file}"
    yield f"           {preset_label(report.config)}"
    if report.config.horizon != (1,):
        yield "           its horizons stay; what was tuned is the forecast of the next session alone"


def _next(report: "TuneReport", settings: "Settings") -> Iterator[str]:
    if report.config is None:
        yield "  next     more --trials, another --seed, or leave the preset as it is"
        return
    named = report.config.preset if report.file.parent == settings.home / "presets" else str(report.file)
    column = "" if report.base.column == "Open" else f" --column {report.base.column}"
    yield f"  next     tomorrow train --preset {named}{column}, with the same --source and --ticker"
    yield "           its proof, on later sessions, says whether it is better"


def _values(trial: TrialAnswer) -> str:
    return ", ".join(f"{key}={value}" for key, value in trial.values.items())
