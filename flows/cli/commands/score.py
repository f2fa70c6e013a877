"""`tomorrow score`: its options, its call, its JSON and its text."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from flows.cli.command import command
from flows.cli.configuration import parse_column, prepare
from flows.cli.options import ClusterAddress, ColumnName, Jobs, PriceOptions
from flows.cli.result import Answer, CommandResult, Count, FetchAnswer, of

if TYPE_CHECKING:
    from flows.score import ScoreReport
    from model.config import Column, PriceRequest
    from model.evaluation.evaluation import Evaluation
    from model.evaluation.monitoring import Window
    from tasks.forecasts.scoring import Scored
    from tasks.forecasts.summary import ForecastSummary


def _versions(scored: "Scored") -> list[dict[str, Any]]:
    """The newest window of each version's forecasts, with its figures by name."""
    return [
        {
            "version": version,
            "run_id": scored.runs[version],
            "sessions": len(windows),
            "last": windows[-1].session,
            **windows[-1].metrics(),
            "breaches": windows[-1].breaches,
        }
        for version, windows in scored.windows.items()
    ]


def _level(judged: "Evaluation | None") -> float | None:
    return None if judged is None else max(judged.intervals, default=None)


def _coverages(judged: "Evaluation | None") -> dict[str, float]:
    if judged is None:
        return {}
    return {f"{100 * level:g}": judged.coverage(level).value for level in sorted(judged.intervals)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


class LiveAnswer(Answer):
    """The live proof: what the forecasts of all versions so far show.

    forecasts:        how many of those that count are distributions, with naive ones beside them
    evidence:         the highest odds reached that they are better than the naive ones: 46.0 is 46 to 1
    evidence_against: the same that they are worse
    claim:            what may be said of them, in words
    skill:            the CRPS skill over the newest "21", "63" and "250", where there are that many
    pit_ks:           the Kolmogorov-Smirnov distance of their PIT from the uniform distribution
    """

    forecasts: Count = of("live")
    evidence: float
    evidence_against: float = of("live.evidence.odds_against")
    claim: str
    skill: dict[int, float] = of("skills")
    pit_ks: float = of("live.pit_ks")


def _live(scored: "ForecastSummary") -> "ForecastSummary | None":
    return None if scored.live is None else scored


class FurtherScore(Answer):
    """How the forecasts of a later session have done, apart from those of every other horizon.

    horizon: how many sessions ahead; the other figures are those of the same names of `ScoreAnswer`
    """

    horizon: int = of("scored.horizon")
    forecasts: Count = of("scored.rows")
    scored: Count = of("scored.counted")
    crps: float | None = of("scored.crps")
    naive_crps: float | None = of("scored.naive_crps")
    naive_distribution: str | None = of("scored.judged.best_naive_distribution", None)
    crps_skill: float | None = of("scored.crps_skill")
    log_score: float | None = of("scored.log_score")
    level: Annotated[float | None, BeforeValidator(_level)] = of("scored.judged")
    coverage: float | None = of("scored.coverage")
    coverages: Annotated[dict[str, float], BeforeValidator(_coverages)] = of("scored.judged")
    live: Annotated[LiveAnswer | None, BeforeValidator(_live)] = of("scored")


@dataclass(frozen=True, slots=True)
class _Horizon:
    """One horizon, named as in the report of a scoring."""

    scored: "ForecastSummary"


def _further(scored: "Scored") -> list[_Horizon]:
    return [_Horizon(each) for each in scored.further]


class ScoreAnswer(Answer):
    """The object of `tomorrow score --json`; what is undefined is null.

    All of it is of the next session; `horizons` has the later ones, each judged by itself.

    The figures are over all forecasts by versions that count, without those of the naive distribution. `crps` and
    `naive_crps` are on the same sessions. `coverage` is that of the widest intervals, at `level`.
    """

    model: str
    ticker: str
    column: str
    version: int | None = of("scored.production.version", None)
    forecasts: Count = of("scored.rows")
    scored: Count = of("scored.counted")
    counted: Count = of("scored.counted")
    filled: int
    waiting: int = of("outcomes.waiting")
    crps: float | None = of("scored.crps")
    naive_crps: float | None = of("scored.naive_crps")
    naive_distribution: str | None = of("scored.judged.best_naive_distribution", None)
    crps_skill: float | None = of("scored.crps_skill")
    log_score: float | None = of("scored.log_score")
    rmse: float | None = of("scored.rmse")
    naive_rmse: float | None = of("scored.naive_rmse")
    naive_name: str | None = of("scored.judged.best_naive", None)
    skill: Annotated[float | None, BeforeValidator(_finite)] = of("scored.judged.skill", None)
    bias: float | None = of("scored.judged.bias", None)
    level: Annotated[float | None, BeforeValidator(_level)] = of("scored.judged")
    coverage: float | None = of("scored.coverage")
    coverages: Annotated[dict[str, float], BeforeValidator(_coverages)] = of("scored.judged")
    live: Annotated[LiveAnswer | None, BeforeValidator(_live)] = of("scored")
    horizons: Annotated[tuple[FurtherScore, ...], BeforeValidator(_further)] = of("scored")
    retrain: bool = of("scored.advice.retrain")
    asked: bool = of("scored.asked")
    reasons: tuple[str, ...] = of("scored.advice.reasons")
    versions: Annotated[tuple[dict[str, Any], ...], BeforeValidator(_versions)] = of("scored")
    notes: tuple[str, ...]
    currency: str | None = of("fetched.prices.security.unit")
    prices: FetchAnswer = of("fetched")
    seconds: dict[str, float]


@command("tomorrow score --ticker META --column Open")
def score(
    prices: PriceOptions, column: ColumnName = "Open", processes: Jobs = None, cluster: ClusterAddress = None
) -> CommandResult:
    """Fill in the actual prices, score the forecasts beside the naive ones, and request retraining where it is due.

    With several securities, --jobs processes score at the same time, or those of an existing Dask cluster.
    """
    name = parse_column(column)
    settings, requests = prepare(prices.requests())
    from flows.cli.several import for_each_security, processes_for

    wanted = {request: (request, name) for request in requests}
    with processes_for(len(wanted), settings, processes, cluster, fits=False) as made:
        return for_each_security("score", wanted, score_security, made, settings.prices.pause)


def score_security(wanted: "tuple[PriceRequest, Column]") -> CommandResult:
    """One scoring, in whatever process."""
    from flows.runs.final_state import carry_out
    from flows.score import score as flow

    request, column = wanted
    report = carry_out(flow, request=request, column=column)
    return CommandResult(ScoreAnswer.model_validate(report), _text(report))


def _text(report: "ScoreReport") -> str:
    from flows.runs.wording import further_sentence, live_sentence, score_sentences

    scored, judged = report.scored, report.scored.judged
    if not scored.rows:
        return f"{report.model}: no forecasts yet, so nothing to score\n  next     tomorrow predict, or tomorrow up"
    made = "1 forecast" if len(scored.rows) == 1 else f"{len(scored.rows)} forecasts"
    lines = [
        f"{report.model}: {made}; actual prices filled in now: {report.filled}, "
        f"waiting for their session: {report.outcomes.waiting}"
    ]
    if not scored.counted:
        lines.append("  nothing to score yet: no session is over whose forecast was made before it")
    elif judged is None:
        lines.append(f"  {len(scored.counted)} made before their sessions, none of them by a version: nothing to judge")
    else:
        naive = sum(row.version is None for row in scored.counted)
        beside = f", {naive} of them by the naive distribution, which are not judged" if naive else ""
        lines.append(f"  {len(scored.counted)} made before their sessions{beside}:")
        lines += [f"    {sentence}" for sentence in score_sentences(judged.metrics(), judged.money)]
        lines.append(f"    Bias {judged.money.difference(judged.bias)}.")
        for level in sorted(judged.intervals):
            held = judged.coverage(level)
            lines.append(f"    The {100 * level:g} % intervals held {held.hits} of {held.n} prices.")
        if (live := live_sentence(scored)) is not None:
            lines.append(f"    {live}")
    lines += [f"  {further_sentence(each)}" for each in scored.further]
    for version, windows in scored.windows.items():
        lines.append(f"  version {version}: {len(windows)} sessions; {_newest(windows[-1])}")
    lines += [f"  note: {note}" for note in report.notes]
    lines.append(f"  {'retraining is requested' if scored.advice.retrain else 'no retraining is requested'}:")
    lines += [f"  - {reason}" for reason in scored.advice.reasons]
    if scored.advice.retrain:
        lines.append(f'  next     tomorrow train, or tomorrow rollback {report.model} --reason "..."')
    return "\n".join(lines)


def _newest(window: "Window") -> str:
    """The figures of a version's newest window."""
    judged, money = window.judged, window.judged.money
    crps = f"CRPS {money.score(judged.crps)}, naive {money.score(judged.naive_crps)}; "
    drift = "" if math.isnan(window.drift) else f", drift {window.drift:.2f}"
    return (
        f"the newest {len(judged.sessions)}: {'' if math.isnan(judged.crps) else crps}"
        f"RMSE {money.score(judged.rmse)}, naive {money.score(judged.naive_rmse)}{drift}"
    )
