"""`tomorrow train`: its options, its call and its text."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated

from flows.cli.command import command
from flows.cli.configuration import given, prepare, validated
from flows.cli.options import ClusterAddress, Jobs, Preset, PriceOptions, TrainingOptions, count, flag, month, option
from flows.cli.result import CommandResult, FailureAnswer, SecuritiesAnswer, lines, look, table
from flows.cli.training_answer import ListProofAnswer, SharedAnswer, TestPart, TrainAnswer, TrainPart
from model.config import EvaluationConfig, ForecasterConfig, PriceRequest
from model.errors import UsageError
from model.evaluation.check import text_table
from model.evaluation.decision import DecisionWord, Verdict
from model.presets import base_of, changes, preset_label

if TYPE_CHECKING:
    from rich.console import RenderableType

    from flows.train import TrainReport
    from model.evaluation.decision import Decision
    from model.market.money import Money
    from tasks.settings import Settings

# The distribution's score first, then the errors of its median.
MEASURES = ("crps", "rmse", "mae")
REPEATED = (
    "Nothing was trained: an identical training exists, with the same prices, configuration and code.",
    "(--again trains all the same.)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationOptions:
    """What a forecaster is judged on."""

    test_month: Annotated[
        str | None, option("--test-month", "YYYY-MM", "Test on that calendar month.", parser=month)
    ] = None
    test_sessions: Annotated[
        int | None, count("--test-sessions", "Else test on the newest N sessions (default: 21).")
    ] = None

    def config(self) -> EvaluationConfig:
        """The sessions that the forecaster is judged on."""
        return validated(EvaluationConfig, given(test_month=self.test_month, test_sessions=self.test_sessions))


@dataclass(frozen=True, kw_only=True)
class Training:
    """What one run of the flow is given."""

    request: PriceRequest
    forecaster: ForecasterConfig
    evaluation: EvaluationConfig
    again: bool
    anew: str = ""


@command("tomorrow train --source csv --prices FB_2012_2020.csv --test-month 2020-01")
def train(
    prices: PriceOptions,
    test: EvaluationOptions,
    training: TrainingOptions,
    preset: Preset = "tutorial",
    again: Annotated[bool, flag("--again", "Train again even if an identical training exists.")] = False,
    anew: Annotated[
        str,
        option(
            "--anew", "TEXT", "Begin a model that was deleted in MLflow again; TEXT is the reason, and it is recorded."
        ),
    ] = "",
    shared: Annotated[
        bool,
        flag(
            "--shared",
            "Forecast by one network that is fitted on all the securities named; one named alone uses it, too "
            "(--set training.shared=both averages it with the security's own).",
        ),
    ] = False,
    processes: Jobs = None,
    cluster: ClusterAddress = None,
) -> CommandResult:
    """Fetch prices, train, evaluate beside the naive forecasts, log and register the version, and ask the gate.

    With several securities, --jobs trainings run at the same time, or as many as an existing Dask cluster has workers.
    """
    wanted, forecaster, evaluation = prices.requests(), training.forecaster(preset, shared=shared), test.config()
    if anew and not anew.strip():
        have, need = "no reason", "why the model is begun again; it is recorded"
        raise UsageError("--anew", have=have, need=need, remedy='give it: --anew "..."')
    settings, requests = prepare(wanted)
    from flows.cli.several import for_each_security, processes_for
    from tasks.system.keras_backend import load_backend

    with processes_for(len(requests), settings, processes, cluster, fits=True, meanwhile=load_backend) as made:
        forecaster = _with_shared_network(requests, forecaster, evaluation)
        trainings = {
            request: Training(request=request, forecaster=forecaster, evaluation=evaluation, again=again, anew=anew)
            for request in requests
        }
        result = for_each_security("train", trainings, train_security, made, settings.prices.pause)
        return _with_list_proof(result, forecaster)


def _with_shared_network(
    requests: Sequence[PriceRequest], forecaster: ForecasterConfig, evaluation: EvaluationConfig
) -> ForecasterConfig:
    """The configuration with the network that these securities share, fitted where it is not yet."""
    from flows.fit_shared import fit_shared_network

    is_named = forecaster.training.shared_network is not None
    if forecaster.training.shared == "own" or is_named or len(requests) == 1:
        return forecaster
    return fit_shared_network(tuple(requests), forecaster, evaluation)


def _with_list_proof(result: CommandResult, forecaster: ForecasterConfig) -> CommandResult:
    """The result with what is known of all securities together, where several share a network."""
    answer = result.answer
    if forecaster.training.shared == "own" or not isinstance(answer, SecuritiesAnswer):
        return result
    from flows.prove_list import prove_list

    trained = {each.model: each.version for each in answer.securities if isinstance(each, TrainAnswer)}
    failed = [each.ticker for each in answer.securities if isinstance(each, FailureAnswer)]
    judged = prove_list(trained, failed, forecaster)
    entries = tuple(ListProofAnswer.model_validate(each) for each in judged)
    return CommandResult(
        SharedAnswer(securities=answer.securities, failed=answer.failed, list_proof=entries),
        lines(
            result.text,
            "",
            "The whole list together. It opens no gate: one of them may have no skill where the mean of all has.",
            *(f"  {each.named:<18} {each.claim}" for each in judged),
        ),
        result.exit_code,
    )


def train_security(training: Training) -> CommandResult:
    """One training, in whatever process."""
    from flows.runs.final_state import carry_out
    from flows.train import train
    from tasks.settings import read_settings

    return train_result(carry_out(train, **vars(training)), read_settings())


def train_result(report: "TrainReport", settings: "Settings") -> CommandResult:
    """The command's result, from a training."""
    return CommandResult(_answer(report), _text(report, settings))


def _answer(report: "TrainReport") -> TrainAnswer:
    from tasks.registry.version import start_of

    split, came = report.split, report.results
    trained, window = len(split.train) - came.rows, (report.config.lookback, came.features)
    test = TestPart(
        inputs=(split.n_test, *window), series=split.n_test + came.rows, first=split.first_test, last=split.last_test
    )
    found = SimpleNamespace(
        **{field.name: getattr(report, field.name) for field in fields(report)},
        prices=replace(report.fetched, prices=split.prices),  # up to the test period's end
        train=TrainPart(inputs=(trained, *window), targets=(trained,)),
        test=test,
        start=start_of(report.version),
        base=base_of(report.config),
        changed=changes(report.config),
    )
    return TrainAnswer.model_validate(found)


def gate_phrase(decision: "Decision") -> str:
    """What the gate says of a version, in a few words."""
    waits = ", and waits for a person" if decision.word == DecisionWord.WAITING else ""
    return ("lets it pass" if decision.passed else "refuses it") + waits


def _text(report: "TrainReport", settings: "Settings") -> "RenderableType":
    from tasks.registry.version import start_of

    split, config, version = report.split, report.config, report.version
    prices = split.prices
    return lines(
        f"{version.headline()}; preset {preset_label(config)}.",
        *(REPEATED if report.repeated else ()),
        "",
        f"  prices   {prices.security.ticker} from {prices.source}: "
        f"{len(prices)} sessions, {prices.first} to {prices.last}",
        *(f"           {note}" for note in prices.notes),
        f"  fit      {_fit(report)}",
        *([f"  shared   network {version.tags['shared']}"] if "shared" in version.tags else []),
        *([f"  start    {start_of(version)['reason']}"] if config.training.warm_start else []),
        "",
        _errors(report),
        "",
        f"  The gate {gate_phrase(report.decision)}:",
        *text_table(report.decision.checks, "    "),
        "",
        *(f"  {'' if place else 'next':<8} {step}" for place, step in enumerate(_next(report))),
        *look(report.run_url, settings),
    )


def _fit(report: "TrainReport") -> str:
    """What was fitted, and how it went."""
    config, came, windows = report.config, report.results, len(report.split.train) - report.results.rows
    if config.training.shared == "shared":
        return f"the distribution of its errors alone, in {came.fit_seconds:.1f} s"
    return (
        f"{came.epochs} epochs on {windows} windows of {config.lookback} sessions in {came.fit_seconds:.1f} s; "
        f"loss {came.first_loss:.4f} to {came.last_loss:.4f}"
    )


def _errors(report: "TrainReport") -> "RenderableType":
    from model.evaluation.baselines import CONSTANT, naive_label

    split, figures, money = report.split, report.results.metrics, report.split.prices.money
    points = [name.removesuffix("_rmse") for name in figures if name.endswith("_rmse") and name != "naive_rmse"]
    naive = [*(name for name in CONSTANT if f"{name}_crps" in figures), *points]
    rows = [("the forecast", "")] + [(f"naive: {naive_label(name)}", f"{name}_") for name in naive]
    skills = [f"{figures[name]:+.3f}" if name in figures else "" for name in ("crps_skill", "skill")]
    return table(
        (
            f"{f'{split.n_test} sessions, {split.first_test} to {split.last_test}':<42}",
            *(f"{name.upper():>8}" for name in MEASURES),
        ),
        [
            *((label, *(_score(figures.get(f"{of_it}{name}"), money) for name in MEASURES)) for label, of_it in rows),
            ("skill against the best naive one", *skills, ""),
        ],
        figures=True,
        indent=2,
    )


def _score(figure: float | None, money: "Money") -> str:
    """A score, or a blank: a naive distribution has only a CRPS, and a naive forecast has none."""
    return "" if figure is None else money.score(figure)


def _next(report: "TrainReport") -> tuple[str, ...]:
    """What to do next, best first, one way a line."""
    from tasks.registry.errors import what_could_pass

    version = report.version
    named = f"{version.model} {version.version}"
    if version.stage == "Production":
        return ("tomorrow predict, with the same --source and --ticker",)
    if report.decision.word == DecisionWord.WAITING:
        return (f'tomorrow approve {named}, or tomorrow reject {named} --reason "..."',)
    if report.decision.verdict == Verdict.PROVEN:
        said = "the first reason above says what it waits for"
        return (f"{said}; tomorrow history {version.model} lists what was decided",)
    return (*what_could_pass(version), "docs/gate.md says what a proof needs")
