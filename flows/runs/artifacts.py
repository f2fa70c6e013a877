"""Artifacts in Prefect's pages: what a run came to, and the links between flow runs and MLflow runs."""

from collections.abc import Mapping

from prefect import runtime
from prefect.artifacts import create_link_artifact, create_markdown_artifact

from flows.runs.wording import intervals_in_brackets, live_sentence, made_by, score_sentences
from model.evaluation.decision import Decision
from model.evaluation.monitoring import Window
from model.market.money import Money
from tasks.forecasts.scoring import Scored
from tasks.ledger.forecasts import RecordedForecast
from tasks.registry.version import RegisteredVersion


def flow_run_tags() -> dict[str, str]:
    """The tags by which an MLflow run names the flow run that made it."""
    found = {"x.prefect.flow_run_id": runtime.flow_run.id, "x.prefect.flow_run_name": runtime.flow_run.name}
    return {key: str(value) for key, value in found.items() if value}


def link_training(
    url: str, version: RegisteredVersion, metrics: Mapping[str, float], money: Money, sessions: int, decision: Decision
) -> None:
    """Show in Prefect what a training came to in so many sessions, and where MLflow shows all of it."""
    create_link_artifact(url, link_text=f"MLflow run of {version.model} version {version.version}", key="mlflow-run")
    reasons = "\n".join(f"- {reason}" for reason in decision.reasons)
    create_markdown_artifact(
        f"**{version.model} version {version.version}** is in {version.stage}.\n\n"
        f"On {sessions} sessions: {' '.join(score_sentences(metrics, money))}\n\n{reasons}\n",
        key="training",
        description=f"what {version.model} version {version.version} came to",
    )


def link_forecast(made: RecordedForecast) -> None:
    """Show in Prefect what was forecast."""
    money, what = made.money, f"{made.ticker} {made.column} on {made.session}"
    create_markdown_artifact(
        f"**{what}: {money.price(made.forecast)}**{intervals_in_brackets(made)}\n\n"
        f"Naive ({made.naive_name.replace('_', ' ')}): {money.price(made.naive)}. By {made_by(made)}.\n\n"
        f"From {made.source} prices as of {made.as_of}."
        f"{' Late: made after that session opened.' if made.late else ''}\n",
        key="forecast",
        description=f"a forecast of {made.model}",
    )


def link_score(model: str, scored: Scored) -> None:
    """Show in Prefect how a model's forecasts have done, and whether it is time to train again."""
    judged = scored.judged
    figures = (
        "Nothing to judge yet."
        if judged is None
        else f"On {len(judged.sessions)} sessions: {' '.join(score_sentences(judged.metrics(), judged.money))}"
    )
    live = live_sentence(scored)
    lines = "".join(_window_row(version, window) for version, (*_, window) in scored.windows.items())
    reasons = "".join(f"- {reason}\n" for reason in scored.advice.reasons)
    request = "retraining" if scored.advice.retrain else "no retraining"
    create_markdown_artifact(
        f"**{model}: {request} is requested.** {figures}\n\n{live or ''}\n\n{reasons}\n"
        "| version | up to | forecasts | rolling CRPS | naive | RMSE | naive | bias | drift | breaches |\n"
        f"|{' --- |' * 10}\n{lines}",
        key="score",
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
