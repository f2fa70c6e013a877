"""Runs that a schedule has started: on trading days only, as of the day they were due; late runs say so."""

import functools
import inspect
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar, cast

from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.states import Completed

from flows.runs.clock import now
from model.config import PriceRequest
from model.market.calendar import occasion
from tasks.prices.request import resolve
from tasks.settings import read_settings

P = ParamSpec("P")
R = TypeVar("R")


def on_schedule(function: Callable[P, R]) -> Callable[P, R]:
    """Make a flow's function follow its schedule; runs that a person starts are not changed.

    On a day without a session the run ends at once, Completed as `NoSession`. A run that starts after a later session
    has ended works as of the one that was due; a late run says so in its log and in its state.
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
        calendar = resolve(request, settings, at).calendar
        found = occasion(calendar, due, at, timedelta(minutes=settings.schedules.late_minutes))
        if not found.is_session:
            message = f"no session today: {calendar.exchange} does not trade on {found.today:%A, %Y-%m-%d}"
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
        return cast("R", Completed(message=message, data=function(*given.args, **given.kwargs)))

    return scheduled


def _due() -> datetime | None:
    """When the schedule meant the run to start; None for a run that no schedule has started."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    # A flow within another has a run of its own, which no schedule knows.
    return run.expected_start_time if run is not None and run.auto_scheduled else None


def _hours(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    return f"{minutes // 60}:{minutes % 60:02d} hours"
