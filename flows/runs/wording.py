"""Scores in words: the same in a run's log, in Prefect's pages and at the command line. CRPS first, RMSE second."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from model.evaluation.baselines import CONSTANT, naive_label
from model.evaluation.metrics import skill
from model.market.money import Money
from tasks.ledger.forecasts import RecordedForecast

if TYPE_CHECKING:
    from model.evaluation.decision import Decision
    from tasks.forecasts.summary import ForecastSummary
    from tasks.registry.version import RegisteredVersion


def score_sentences(metrics: Mapping[str, float], money: Money) -> tuple[str, ...]:
    """How the distributions did beside the best naive one, if there were any, and then their medians likewise.

    metrics: those of `Evaluation.metrics`, with only naive forecasts beside ours
    """
    distributions = [name for name in CONSTANT if f"{name}_crps" in metrics]
    points = [name.removesuffix("_rmse") for name in metrics if name.endswith("_rmse") and name != "naive_rmse"]
    found = [_beside("rmse", metrics, money, "forecast", points)]
    if "crps" in metrics:
        found.insert(0, _beside("crps", metrics, money, "distribution", distributions))
    return tuple(found)


def live_sentence(summary: "ForecastSummary") -> str | None:
    """What may be said of live forecasts, with their skill over each span; None where none of them can be judged."""
    return summary.claim and live_text(summary.claim, summary.skills)


def live_text(claim: str, skills: Mapping[int, float]) -> str:
    """A claim, and the skill over each of the spans that are full."""
    spans = ", ".join(f"{skill:+.3f} over the newest {span}" for span, skill in skills.items())
    return f"Live: {claim}{f'; CRPS skill {spans}' if spans else ''}."


def further_sentence(summary: "ForecastSummary") -> str:
    """How the forecasts of a later session have done: how many there are, and what may be said of them."""
    made = f"{summary.horizon} sessions ahead: {summary.forecasts:,} made, {summary.scored:,} count"
    judged, live = summary.judged, summary.live
    if judged is None or live is None:
        return f"{made}; none of a version can be judged yet."
    level = max(judged.intervals)
    held, money = judged.coverage(level), judged.money
    return (
        f"{made}; CRPS {money.score(judged.crps)}, naive {money.score(judged.naive_crps)}, skill "
        f"{judged.crps_skill:+.3f}; the {100 * level:g} % intervals held {held.hits} of {held.n} prices. "
        f"{live_text(live.claim(summary.needed), live.skills)}"
    )


def ahead_sentence(row: RecordedForecast) -> str:
    """A forecast of a later session: how far ahead, its price and intervals, and that it is naive where it is."""
    by = ", the naive distribution" if row.version is None else ""
    when = f"{row.horizon} sessions ahead, on {row.session:%Y-%m-%d}"
    return f"{when}: {row.money.price(row.forecast)}{intervals_in_brackets(row)}{by}"


def intervals_in_brackets(made: RecordedForecast) -> str:
    """The intervals of a forecast, to write after it; nothing where it has none."""
    bounds = [f"{level} %: {made.money.span(low, high)}" for level, (low, high) in made.intervals.items()]
    return f" ({', '.join(bounds)})" if bounds else ""


def made_by(made: RecordedForecast) -> str:
    """Who made a forecast: a version, or the naive distribution that was used without one."""
    if made.version is not None:
        return f"{made.model} {made.named}"
    kind = next((f", {naive_label(name)}" for name, row in made.naive_quantiles.items() if row == made.quantiles), "")
    why = "no version in Production could forecast it" if made.horizon == 1 else "no skill was found so far ahead"
    return f"the naive distribution{kind}: {why}"


def forecast_sentence(made: RecordedForecast) -> str:
    """A forecast with its intervals, and who made it."""
    what = f"{made.ticker} {made.column} on {made.session}"
    return f"{what}: {made.money.price(made.forecast)}{intervals_in_brackets(made)}, by {made_by(made)}"


def decision_sentence(version: "RegisteredVersion", decision: "Decision | None") -> str:
    """What was decided on a version, and the first reason where it was kept out of Production."""
    named = f"{version.model} {version.version}"
    if decision is None:
        return f"{named} is in {version.stage}"
    if version.stage == "Production":
        return f"{named} {decision.word.value}: in Production"
    why = "".join(decision.reasons[:1])  # those that failed stand first
    return f"{named} {decision.word.value}: {why or f'in {version.stage}'}"


def _beside(measure: str, metrics: Mapping[str, float], money: Money, kind: str, names: list[str]) -> str:
    """A score beside the smallest of the naive ones of those names."""
    ours = metrics[measure]
    if not names:
        return f"{measure.upper()} {money.score(ours)}."
    best = min(names, key=lambda name: metrics[f"{name}_{measure}"])
    naive = metrics[f"{best}_{measure}"]
    gain = skill(ours, naive)
    return (
        f"{measure.upper()} {money.score(ours)}; best naive {kind} ({naive_label(best)}) {money.score(naive)}; "
        f"skill {gain:+.3f}{'' if gain > 0 else ' (no skill)'}."
    )
