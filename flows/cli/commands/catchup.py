"""`tomorrow catchup`: its options, its call, its JSON and its text."""

from datetime import date
from typing import TYPE_CHECKING

from flows.cli.command import command
from flows.cli.commands.predict import PredictAnswer
from flows.cli.commands.train import EvaluationOptions
from flows.cli.configuration import prepare
from flows.cli.options import Preset, PriceOptions, TrainingOptions
from flows.cli.result import Answer, CommandResult, for_each, of

if TYPE_CHECKING:
    from flows.catchup import CatchupReport
    from model.config import PriceRequest
    from tasks.ledger.forecasts import RecordedForecast


class CatchupAnswer(Answer):
    """The object of `tomorrow catchup --json`; `passed` are the sessions that were missed too long ago.

    A forecast whose `version` is null is the best naive distribution: no version was in Production.
    """

    model: str
    forecasts: tuple[PredictAnswer, ...] = of("made")
    passed: tuple[date, ...]


@command("tomorrow catchup --preset tutorial")
def catchup(
    prices: PriceOptions, test: EvaluationOptions, training: TrainingOptions, preset: Preset = "tutorial"
) -> CommandResult:
    """Train and forecast as of each session that was missed, oldest first; the first time only as of the newest.

    With nothing in Production the best naive distribution is recorded, labelled naive.
    """
    forecaster, evaluation = training.forecaster(preset), test.config()
    settings, requests = prepare(prices.requests())
    from tasks.system.keras_backend import load_backend
    from tasks.system.prefect_server import orchestrated

    with orchestrated(meanwhile=load_backend):
        from flows.catchup import catchup as flow

        def run(request: "PriceRequest") -> CommandResult:
            report = flow(request=request, forecaster=forecaster, evaluation=evaluation)
            return CommandResult(CatchupAnswer.model_validate(report), _text(report))

        return for_each(requests, settings.prices.pause, run)


def _text(report: "CatchupReport") -> str:
    lines = [f"{report.model}: sessions caught up: {len(report.made)}."]
    lines += [
        f"  as of {made.forecast.as_of}: {made.forecast.column} on {made.forecast.session}: "
        f"{made.forecast.money.price(made.forecast.forecast)}, {_by(made.forecast)}"
        for made in report.made
    ]
    if report.passed:
        lines.append(
            f"  skipped as too long ago (schedules.catch_up in mlflow.yaml): "
            f"{len(report.passed)} sessions, {report.passed[0]} to {report.passed[-1]}"
        )
    return "\n".join(lines)


def _by(made: "RecordedForecast") -> str:
    return f"by {made.named}" if made.version else f"{made.named}: no version in Production could forecast it"
