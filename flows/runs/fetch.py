"""Fetching prices within a flow: retried, and replaced by the last good snapshot where the settings allow that."""

from datetime import datetime
from typing import Literal

from prefect.artifacts import create_markdown_artifact

from flows.runs.alarms import alarm_restated, alarm_stale
from flows.runs.artifacts import artifact_key
from flows.runs.story import log_prices
from model.errors import PricesUnavailable, RestatedPrices
from tasks.prefect_tasks import fall_back_task, patient_fetch_task
from tasks.prices.fetch import FetchedPrices
from tasks.prices.request import ResolvedRequest
from tasks.settings import Settings


def fetch(
    resolved: ResolvedRequest, settings: Settings, now: datetime, occasion: Literal["train", "predict"]
) -> FetchedPrices:
    """Prices, or the last good snapshot where the settings allow it; an artifact shows what had changed."""
    try:
        fetched = patient_fetch_task(settings.prices.retries)(resolved, settings, now)
    except PricesUnavailable as error:
        allowed = getattr(settings.prices.stale_sessions, occasion)
        fetched = fall_back_task(resolved, settings, now, allowed, error)
        alarm_stale(fetched, settings, now)
    except RestatedPrices as error:
        _show(
            resolved.security.ticker,
            f"**{resolved.request.ticker}: restated irregularly, and not used.**\n\n```\n{error}\n```\n",
        )
        alarm_restated(error, settings, now)
        raise
    log_prices(fetched)
    if fetched.record is not None:
        _show(fetched.prices.security.ticker, _account(fetched))
    return fetched


def _account(fetched: FetchedPrices) -> str:
    """What is known of the prices, for people."""
    prices = fetched.prices
    stale = ", **stale**" if fetched.stale else ""
    lines = "".join(f"- {note}\n" for note in prices.notes)
    return (
        f"**{prices.security.ticker}: {fetched.verdict}**{stale}\n\n{len(prices)} sessions, {prices.first} to "
        f"{prices.last}, snapshot `{fetched.snapshot}`.\n\n{lines}"
    )


def _show(ticker: str, markdown: str) -> None:
    about = f"the prices of {ticker}, and what had changed of their past"
    create_markdown_artifact(markdown, key=artifact_key("prices", ticker), description=about)
