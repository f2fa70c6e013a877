"""Fetching prices within a flow: tried again as the occasion allows, and what is used where they are not to be had."""

from datetime import datetime
from typing import Any, Literal

from prefect import Task, runtime
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State, TaskRun

from flows.runs.alarms import alarm_restated, alarm_stale
from model.config import PriceRequest
from model.errors import PricesUnavailable, RestatedPrices
from tasks.prefect_tasks import step
from tasks.prices.fetch import Obtained, fall_back, obtain_prices
from tasks.prices.retry import next_wait
from tasks.settings import Settings

ask = step(obtain_prices, "fetch")
use_last_good = step(fall_back, "use the last good snapshot")


def fetch(wanted: PriceRequest, settings: Settings, now: datetime, occasion: Literal["train", "predict"]) -> Obtained:
    """Prices, or the last good snapshot where the settings allow it; what had changed stands in an artifact."""
    try:
        obtained = _patient(settings)(wanted, settings, now)
    except PricesUnavailable as error:
        allowed = getattr(settings.prices.stale_sessions, occasion)
        obtained = use_last_good(wanted, settings, now, allowed, error)
        alarm_stale(obtained, settings, now)
    except RestatedPrices as error:
        _show(f"**{wanted.ticker}: restated irregularly, and not used.**\n\n```\n{error}\n```\n")
        alarm_restated(error, settings, now)
        raise
    if obtained.record is not None:
        _show(_account(obtained))
    return obtained


def _patient(settings: Settings) -> Task[..., Obtained]:
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


def _account(obtained: Obtained) -> str:
    """What is known of the prices, for people."""
    prices = obtained.prices
    stale = ", **stale**" if obtained.stale else ""
    lines = "".join(f"- {note}\n" for note in prices.notes)
    return (
        f"**{prices.security.ticker}: {obtained.verdict}**{stale}\n\n{len(prices)} sessions, {prices.first} to "
        f"{prices.last}, snapshot `{obtained.snapshot}`.\n\n{lines}"
    )


def _show(markdown: str) -> None:
    create_markdown_artifact(markdown, key="prices", description="the prices, and what had changed of their past")
