"""When alarms are raised: a run of a deployment has failed, prices are stale or restated, a model has no skill."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flows.runs.clock import now
from model.errors import RestatedPrices
from tasks.operations.alarms import Alarm, raise_alarm
from tasks.prices.fetch import FetchedPrices
from tasks.settings import Settings, read_settings

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun, State

SHOWN_CHANGES = 20


def alarm_failure(flow: "Flow[..., Any]", flow_run: "FlowRun", state: "State[Any]") -> None:
    """A hook of flows: a deployment's run has failed or crashed; at the command line the user sees it."""
    if flow_run.deployment_id is None:
        return
    alarm = Alarm(
        kind="flow.failed",
        subject=flow.name,
        message=f"The run {flow_run.name!r} of {flow.name} is {state.name}: {state.message or 'no message'}",
        at=now(),
        details={"flow_run_id": str(flow_run.id), "state": state.name or state.type.value},
    )
    raise_alarm(alarm, read_settings())


def alarm_stale(fetched: FetchedPrices, settings: Settings, at: datetime) -> None:
    """Prices of a previous fetch are used, since newer ones are not available."""
    ticker, missing = fetched.prices.security.ticker, [str(day) for day in fetched.missing]
    lacks = f"lack {', '.join(missing)}" if missing else "lack no session"
    alarm = Alarm(
        kind="prices.stale",
        subject=ticker,
        message=f"The prices of {ticker} are those of a previous fetch, and {lacks}.",
        at=at,
        details={"missing": missing, "snapshot": fetched.snapshot},
    )
    raise_alarm(alarm, settings)


def alarm_restated(error: RestatedPrices, settings: Settings, at: datetime) -> None:
    """The source has changed its past irregularly; the run ends."""
    changes = error.data.get("changes")
    alarm = Alarm(
        kind="prices.restated",
        subject=error.subject.rpartition(" ")[2],
        message=f"{error.subject}: {error.have}",
        at=at,
        details={"changes": list(changes)[:SHOWN_CHANGES] if isinstance(changes, list) else []},
    )
    raise_alarm(alarm, settings)


def alarm_no_skill(model: str, reasons: Sequence[str], settings: Settings) -> None:
    """A model's forecasts have been no better than naive for as long as the settings allow."""
    message = f"Retraining of {model} is requested. {' '.join(reasons)}"
    alarm = Alarm(kind="model.no-skill", subject=model, message=message, at=now(), details={"reasons": reasons})
    raise_alarm(alarm, settings)
