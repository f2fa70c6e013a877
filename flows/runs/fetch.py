"""Fetching prices within a flow: tried again as the occasion allows, and what is used where they are not to be had."""

from datetime import datetime
from typing import Any, Literal

from prefect import Task, runtime
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State, TaskRun

from flows.runs.alarms import alarm_restated, alarm_stale
from model.errors import PricesUnavailable, RestatedPrices
from tasks.prefect_tasks import step
from tasks.prices.fetch import FetchedPrices, fall_back, fetch_prices
from tasks.prices.request import ResolvedRequest
from tasks.prices.retry import next_wait
from tasks.settings import Settings

ask = step(fetch_prices, "fetch")
use_last_good = step(fall_back, "use the last good snapshot")


def fetch(
    resolved: ResolvedRequest, settings: Settings, now: datetime, occasion: Literal["train", "predict"]
) -> FetchedPrices:
    """Prices, or the last good snapshot where the settings allow it; what had changed stands in an artifact."""
    try:
        fetched = _patient(settings)(resolved, settings, now)
    except PricesUnavailable as error:
        allowed = getattr(settings.prices.stale_sessions, occasion)
        fetched = use_last_good(resolved, settings, now, allowed, error)
        alarm_stale(fetched, settings, now)
    except RestatedPrices as error:
        _show(f"**{resolved.request.ticker}: restated irregularly, and not used.**\n\n```\n{error}\n```\n")
        alarm_restated(error, settings, now)
        raise
    if fetched.record is not None:
        _show(_account(fetched))
    return fetched


def _patient(settings: Settings) -> Task[..., FetchedPrices]:
    """The task with the waits that are due to a deployment's run, or to somebody at the command line."""
    scheduled = runtime.deployment.id is not None
    retried = 0

    def again(task: Task[..., Any], _: TaskRun, state: State[Any]) -> bool:
        nonlocal retried
        error: object = state.data
        wait = next_wait(error, retried, settings.prices.retries, scheduled=scheduled)
        if wait is None:
            return False
        retried += 1
        # Prefect knows one delay for whatever goes wrong; it reads it after it has asked here.
        task.retry_delay_seconds = [wait]
        return True

    return ask.with_options(retries=3, retry_condition_fn=again)


def _account(fetched: FetchedPrices) -> str:
    """What is known of the prices, for people."""
    prices = fetched.prices
    stale = ", **stale**" if fetched.stale else ""
    lines = "".join(f"- {note}\n" for note in prices.notes)
    return (
        f"**{prices.security.ticker}: {fetched.verdict}**{stale}\n\n{len(prices)} sessions, {prices.first} to "
        f"{prices.last}, snapshot `{fetched.snapshot}`.\n\n{lines}"
    )


def _show(markdown: str) -> None:
    create_markdown_artifact(markdown, key="prices", description="the prices, and what had changed of their past")
