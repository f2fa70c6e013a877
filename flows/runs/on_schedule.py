"""Runs that a schedule has started: on trading days only, as of the day they were due; late runs say so."""

import functools
import inspect
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar, cast

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.states import Completed

from flows.runs.clock import now
from flows.runs.final_state import with_note
from flows.runs.story import check_places_of_run
from model.config import PriceRequest
from model.market.calendar import occasion
from tasks.prices.request import resolve
from tasks.settings import read_settings

# The runs of a deployment's other schedules lie between two of one schedule.
MOST_RUNS = 50
NEVER = timedelta(days=14)

P = ParamSpec("P")
R = TypeVar("R")


def on_schedule(function: Callable[P, R]) -> Callable[P, R]:
    """Make a flow's function follow its schedule; runs that a person starts are not changed.

    Where no session has ended since the last run it ends at once, Completed as `NoSession`. A run that starts after
    a later session has ended works as of the one that was due; a late run says so in its log and in its state.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def scheduled(*args: P.args, **kwargs: P.kwargs) -> R:
        due = _due()
        if due is None:
            return function(*args, **kwargs)
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        request: PriceRequest = given.arguments["request"]
        settings, at = read_settings(), now()
        # Otherwise a run for other places that finds nothing to do would count as the last one.
        check_places_of_run(settings)
        calendar = resolve(request, settings, at).calendar
        found = occasion(calendar, due, at, timedelta(minutes=settings.schedules.late_minutes), _since(due))
        if not found.is_session:
            message = f"no session: none of {calendar.exchange} has ended since the last run"
            get_run_logger().info(message)
            return cast("R", Completed(name="NoSession", message=message))
        if request.as_of is None and found.as_of is not None:
            given.arguments["request"] = request.model_copy(update={"as_of": found.as_of})
        if found.late is None:
            return function(*given.args, **given.kwargs)
        message = f"late: due at {due:%Y-%m-%d %H:%M} UTC, started {_hours(found.late)} after it"
        if found.as_of is not None:
            message += f", as of {found.as_of}"
        get_run_logger().warning(message)
        return with_note(function(*given.args, **given.kwargs), message)

    return scheduled


def _due() -> datetime | None:
    """When the schedule meant the run to start; None for a run that no schedule has started."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    # A flow within another has a run of its own, which no schedule knows.
    return run.expected_start_time if run is not None and run.auto_scheduled else None


def _since(due: datetime) -> datetime | None:
    """When the last completed run of the same schedule was due; None for a run without a deployment."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.deployment_id is None:
        return None
    question = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[run.deployment_id]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.COMPLETED])),
        expected_start_time=FlowRunFilterExpectedStartTime(before_=due - timedelta(seconds=1)),
    )
    with get_client(sync_client=True) as client:
        before = client.read_flow_runs(
            flow_run_filter=question, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=MOST_RUNS
        )
    same = (found.expected_start_time for found in before if found.auto_scheduled and _slug(found) == _slug(run))
    # Without one, every session counts as ended since then.
    return next((at for at in same if at is not None), due - NEVER)


def _slug(run: FlowRun) -> str | None:
    return run.created_by.display_value if run.created_by else None


def _hours(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    return f"{minutes // 60}:{minutes % 60:02d} hours"
