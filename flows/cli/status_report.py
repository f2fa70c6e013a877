"""`tomorrow status`: what runs, what is next, what is in Production, how fresh prices are, how forecasts have done.

Each part is asked by itself, and what cannot be told says why: most of all when something is wrong this has to work.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from flows.cli.prices_report import stocktaking
from flows.runs.clock import now
from model.errors import TomorrowError
from tasks.forecasts.overview import forecast_summaries, in_production
from tasks.forecasts.summary import ForecastSummary
from tasks.operations.stack.prefect_api import PrefectApi, ScheduledRun
from tasks.operations.stack.state import StackState, read_stack
from tasks.prices.inventory import Holding
from tasks.registry.version import RegisteredVersion
from tasks.settings import Settings

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How things are at one moment.

    stack:      None where none runs
    production: None for a model without a version in Production
    faults:     by part, why it could not be told
    """

    now: datetime
    stack: StackState | None
    scheduled: tuple[ScheduledRun, ...]
    production: dict[str, RegisteredVersion | None]
    prices: list[Holding]
    forecasts: tuple[ForecastSummary, ...]
    faults: dict[str, str] = field(default_factory=dict)


def take_status(settings: Settings, prefect_elsewhere: str | None) -> Status:
    """Look at everything once."""
    faults: dict[str, str] = {}

    def ask(part: str, look: Callable[[], Found], otherwise: Found) -> Found:
        try:
            return look()
        except TomorrowError as error:
            faults[part] = f"{error.subject}: {error.have}"
            return otherwise

    stack, at = read_stack(settings), now()
    address = stack.prefect_api if stack else prefect_elsewhere
    return Status(
        now=at,
        stack=stack,
        scheduled=ask("scheduled", PrefectApi(address).scheduled, ()) if address else (),
        production=ask("production", lambda: in_production(settings, at), {}),
        prices=ask("prices", lambda: stocktaking((), settings), []),
        forecasts=ask("forecasts", lambda: forecast_summaries(settings), ()),
        faults=faults,
    )
