"""`tomorrow score`: its options, its call, its JSON and its text."""

import math
from datetime import date
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict

from flows.cli.command import command
from flows.cli.configuration import column as parse_column
from flows.cli.configuration import prepare
from flows.cli.options import ColumnName, PriceOptions
from flows.cli.result import Answer, CommandResult, FetchAnswer, for_each

if TYPE_CHECKING:
    from flows.score import ScoreReport
    from model.config import PriceRequest
    from model.evaluation.evaluation import Evaluation


class VersionScore(Answer):
    """The newest window of one version's forecasts, with its figures by name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float]

    version: int
    run_id: str
    sessions: int
    last: date
    breaches: tuple[str, ...]


class ScoreFigures(Answer):
    """The figures of all forecasts that count; `coverage` is that of the widest intervals, at `level`."""

    rmse: float | None = None
    naive_rmse: float | None = None
    naive_name: str | None = None
    skill: float | None = None
    bias: float | None = None
    level: float | None = None
    coverage: float | None = None
    coverages: dict[str, float]


class ScoreAnswer(ScoreFigures):
    """The object of `tomorrow score --json`; what is undefined is null."""

    model: str
    ticker: str
    column: str
    version: int | None
    forecasts: int
    scored: int
    counted: int
    filled: int
    waiting: int
    retrain: bool
    asked: bool
    reasons: tuple[str, ...]
    versions: tuple[VersionScore, ...]
    notes: tuple[str, ...]
    prices: FetchAnswer
    seconds: dict[str, float]


@command("tomorrow score --ticker META --column Open")
def score(prices: PriceOptions, column: ColumnName = "Open") -> CommandResult:
    """Fill in what happened, score the forecasts beside the naive ones, and request retraining where it is due."""
    requests, name = prices.requests(), parse_column(column)
    settings, requests = prepare(requests)
    from tasks.system.prefect_server import orchestrated

    with orchestrated():
        from flows.score import score as flow

        def run(request: "PriceRequest") -> CommandResult:
            report = flow(request=request, column=name)
            return CommandResult(_answer(report), _text(report))

        return for_each(requests, settings.prices.pause, run)


def _answer(report: "ScoreReport") -> ScoreAnswer:
    scored, production = report.scored, report.scored.production
    return ScoreAnswer(
        model=report.model,
        ticker=report.ticker,
        column=report.column,
        version=None if production is None else production.version,
        forecasts=len(scored.rows),
        scored=scored.scored,
        counted=len(scored.counted),
        filled=report.filled,
        waiting=report.outcomes.waiting,
        **_figures(scored.judged),
        retrain=scored.advice.retrain,
        asked=scored.asked,
        reasons=scored.advice.reasons,
        versions=tuple(
            VersionScore(
                version=version,
                run_id=scored.runs[version],
                sessions=len(windows),
                last=windows[-1].session,
                **windows[-1].metrics() | {"breaches": windows[-1].breaches},
            )
            for version, windows in scored.windows.items()
        ),
        notes=_notes(report),
        prices=FetchAnswer.model_validate(report.fetched),
        seconds=report.seconds,
    )


def _figures(judged: "Evaluation | None") -> dict[str, Any]:
    if judged is None:
        return {"coverages": {}}
    held = {level: judged.coverage(level) for level in sorted(judged.intervals)}
    widest = max(held, default=None)
    return {
        "rmse": judged.rmse,
        "naive_rmse": judged.naive_rmse,
        "naive_name": judged.best_naive,
        "skill": judged.skill if math.isfinite(judged.skill) else None,
        "bias": judged.bias,
        "level": widest,
        "coverage": None if widest is None else held[widest].value,
        "coverages": {f"{100 * level:g}": share.value for level, share in held.items()},
    }


def _notes(report: "ScoreReport") -> tuple[str, ...]:
    production = report.scored.production
    return (*report.outcomes.notes, *(production.notes if production else ()))


def _text(report: "ScoreReport") -> str:
    from model.evaluation.baselines import naive_label

    scored, judged = report.scored, report.scored.judged
    lines = [
        f"{report.model}: {len(scored.rows)} forecasts; what happened was filled in for {report.filled} now, "
        f"{report.outcomes.waiting} wait for their session"
    ]
    if judged is None:
        lines.append("  none of them was made before its session and is over: nothing to score")
    else:
        lines.append(
            f"  {len(scored.counted)} made before their sessions: RMSE ${judged.rmse:.3f}, "
            f"{naive_label(judged.best_naive)} ${judged.naive_rmse:.3f}, skill {judged.skill:+.3f}"
            f"{'' if judged.has_skill else ' (no skill)'}, bias ${judged.bias:+.3f}"
        )
        for level in sorted(judged.intervals):
            held = judged.coverage(level)
            lines.append(f"  the {100 * level:g} % intervals held {held.hits} of {held.n} prices")
    for version, windows in scored.windows.items():
        newest = windows[-1]
        drift = "" if math.isnan(newest.drift) else f", drift {newest.drift:.2f}"
        lines.append(
            f"  version {version}: {len(windows)} sessions; the newest {len(newest.judged.sessions)}: RMSE "
            f"${newest.judged.rmse:.3f}, naive ${newest.judged.naive_rmse:.3f}{drift}"
        )
    lines += [f"  note: {note}" for note in _notes(report)]
    lines.append(f"  {'retraining is requested' if scored.advice.retrain else 'no retraining is requested'}:")
    lines += [f"  - {reason}" for reason in scored.advice.reasons]
    if scored.advice.retrain:
        lines.append(f'  next     tomorrow train, or tomorrow rollback {report.model} --reason "..."')
    return "\n".join(lines)
