"""Artifacts in Prefect's pages: a run's result, and the links between flow runs and MLflow runs."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import date

from prefect import runtime
from prefect.artifacts import create_link_artifact, create_markdown_artifact

from flows.runs.wording import further_sentence, intervals_in_brackets, live_sentence, made_by, score_sentences
from model.config import ForecasterConfig
from model.evaluation.baselines import naive_label
from model.evaluation.check import markdown_table
from model.evaluation.decision import Decision
from model.evaluation.monitoring import Window
from model.figures.newest.cone import cone_svg
from model.figures.newest.interval import interval_svg
from model.market.money import Money
from model.presets import preset_label
from tasks.forecasts.cones import cone_from
from tasks.forecasts.scoring import Scored
from tasks.ledger.forecasts import RecordedForecast
from tasks.registry.version import RegisteredVersion
from tasks.system.cluster.one_of_several import is_one_of_several
from tasks.training.previous import WITHIN


def artifact_key(kind: str, subject: str) -> str:
    """The key of an artifact about a model or a ticker, such as `forecast-meta-open`: each has a history of its own.

    Prefect takes lower-case letters, digits and dashes; where a name has others, a digest of it is added.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")
    if plain != subject.lower():
        plain += f"-{hashlib.sha256(subject.encode()).hexdigest()[:6]}"
    return f"{kind}-{plain}"


def flow_run_tags() -> dict[str, str]:
    """The tags by which an MLflow run names the flow run that made it, and the one that this was part of."""
    if is_one_of_several():
        of_several, mine = str(runtime.flow_run.id), str(runtime.task_run.id)
        return {"x.prefect.flow_run_id": of_several, "x.prefect.task_run_id": mine, WITHIN: of_several}
    found = {
        "x.prefect.flow_run_id": runtime.flow_run.id,
        "x.prefect.flow_run_name": runtime.flow_run.name,
        WITHIN: runtime.flow_run.parent_flow_run_id,
    }
    return {key: str(value) for key, value in found.items() if value}


def link_training(
    url: str,
    version: RegisteredVersion,
    forecaster: ForecasterConfig,
    metrics: Mapping[str, float],
    money: Money,
    sessions: int,
    decision: Decision,
) -> None:
    """Show in Prefect a training's result on its test sessions, and where MLflow shows all of it."""
    what = f"MLflow run of {version.model} version {version.version}"
    link = ""
    if is_one_of_several():  # each artifact takes as long as some steps of the training
        link = f"[{what}]({url})\n\n"
    else:
        create_link_artifact(url, link_text=what, key=artifact_key("mlflow-run", version.model))
    create_markdown_artifact(
        f"{link}**{version.headline()}.** Preset {preset_label(forecaster)}.\n\n"
        f"On {sessions} sessions: {' '.join(score_sentences(metrics, money))}\n\n{markdown_table(decision.checks)}",
        key=artifact_key("training", version.model),
        description=f"the result of {version.model} version {version.version}",
    )


def link_forecast(made: RecordedForecast, further: Sequence[RecordedForecast] = ()) -> None:
    """Show in Prefect what was forecast, for later sessions, too."""
    note, key = forecast_note(made, further), artifact_key("forecast", made.model)
    create_markdown_artifact(note, key=key, description=f"a forecast of {made.model}")


def forecast_note(made: RecordedForecast, further: Sequence[RecordedForecast] = ()) -> str:
    """A forecast for people: price, a small picture, intervals and why they are so wide, the naive one, who made it.

    further: the forecasts of later sessions that were made with it, of which there are a cone and a table
    """
    money, what = made.money, f"{made.ticker} {made.column} on {made.session}"
    picture = _in_the_text(interval_svg(made.forecast, made.naive, made.intervals, money, what))
    rows = "".join(
        f"| {level} % interval | {money.price(low)} | {money.price(high)} |\n"
        for level, (low, high) in sorted(made.intervals.items())
    )
    table = f"| | from | to |\n| --- | ---: | ---: |\n{rows}\n" if rows else ""
    why = f"{made.explanation.sentence}.\n\n" if made.explanation else ""
    return (
        f"**{what}: {money.price(made.forecast)}**\n\n"
        f"![{what}: {money.price(made.forecast)}{intervals_in_brackets(made)}]({picture})\n\n"
        f"{table}{why}{_ahead(made, further)}"
        f"Naive ({naive_label(made.naive_name)}): {money.price(made.naive)}. By {made_by(made)}.\n\n"
        f"From {made.source} prices as of {made.as_of}."
        f"{' Late: made after that session opened.' if made.late else ''}\n"
    )


def _in_the_text(svg: str) -> str:
    """A picture as an address that holds all of it: Prefect's pages show it without asking any other server."""
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


def _ahead(made: RecordedForecast, further: Sequence[RecordedForecast]) -> str:
    """The forecasts of later sessions as a cone, which begins at the newest price, and as a table; nothing without."""
    if not further:
        return ""
    what = f"{made.ticker} {made.column}, {' and '.join(str(row.horizon) for row in further)} sessions ahead"
    picture = f"![{what}]({_in_the_text(cone_svg(cone_from(made, further), what))})\n\n"
    levels = sorted({level for row in further for level in row.intervals})
    titles = ("sessions ahead", "session", "median", *(f"{level} %" for level in levels), "by")
    rows = []
    for row in further:
        spans = (row.money.span(*row.intervals[level]) if level in row.intervals else "" for level in levels)
        rows.append((str(row.horizon), str(row.session), row.money.price(row.forecast), *spans, row.named))
    lines = (titles, ("---",) * len(titles), *rows)
    return picture + "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def link_report(url: str, day: date) -> None:
    """Show in Prefect where MLflow has the report of a day."""
    create_link_artifact(url, link_text=f"The board of {day}", key="report", description="the daily report")


def link_score(model: str, scored: Scored) -> None:
    """Show in Prefect how a model's forecasts have done, and whether it is time to train again."""
    judged = scored.judged
    figures = (
        "Nothing to judge yet."
        if judged is None
        else f"On {len(judged.sessions)} sessions: {' '.join(score_sentences(judged.metrics(), judged.money))}"
    )
    live = " ".join((live_sentence(scored) or "", *map(further_sentence, scored.further))).strip()
    lines = "".join(_window_row(version, window) for version, (*_, window) in scored.windows.items())
    reasons = "".join(f"- {reason}\n" for reason in scored.advice.reasons)
    request = "retraining" if scored.advice.retrain else "no retraining"
    create_markdown_artifact(
        f"**{model}: {request} is requested.** {figures}\n\n{live}\n\n{reasons}\n"
        "| version | up to | forecasts | rolling CRPS | naive | RMSE | naive | bias | drift | breaches |\n"
        f"|{' --- |' * 10}\n{lines}",
        key=artifact_key("score", model),
        description=f"how the forecasts of {model} have done",
    )


def _window_row(version: int, window: Window) -> str:
    """A version's newest window as a row of the table."""
    judged = window.judged
    money, digits = judged.money, judged.money.digits + 1
    return (
        f"| {version} | {window.session} | {len(judged.sessions)} | {money.score(judged.crps)} | "
        f"{money.score(judged.naive_crps)} | {judged.rmse:.{digits}f} | {judged.naive_rmse:.{digits}f} | "
        f"{judged.bias:+.{digits}f} | {window.drift:.2f} | {len(window.breaches)} |\n"
    )
