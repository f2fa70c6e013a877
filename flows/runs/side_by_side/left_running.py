"""What a process that has ended left behind in Prefect's pages: runs that say Running, and that nobody carries out."""

from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

from prefect import runtime
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Crashed

UNFINISHED = [StateType.RUNNING, StateType.PENDING]
MESSAGE = "The process that carried it out has ended."


def close_left_running(task_runs: Iterable[UUID] = ()) -> None:
    """Close the unfinished flow runs within the present one, with their task runs, and these task runs of its own.

    To be called when no process works for the present flow run any more.
    """
    present = runtime.flow_run.id
    if present is None:
        return
    within = FlowRunFilter(
        parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[UUID(present)]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNFINISHED)),
    )
    with get_client(sync_client=True) as client:
        left = [run.id for run in client.read_flow_runs(flow_run_filter=within)]
        for run in left:
            client.set_flow_run_state(run, Crashed(message=MESSAGE), force=True)
        for run in [*_steps(client, left), *task_runs]:
            with suppress(PrefectHTTPStatusError):  # the server has never heard of one that ended so soon
                client.set_task_run_state(run, Crashed(message=MESSAGE), force=True)


def _steps(client: SyncPrefectClient, flow_runs: list[UUID]) -> list[UUID]:
    """The unfinished task runs of these flow runs."""
    if not flow_runs:
        return []
    unfinished = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=UNFINISHED)))
    of_them = FlowRunFilter(id=FlowRunFilterId(any_=flow_runs))
    return [run.id for run in client.read_task_runs(flow_run_filter=of_them, task_run_filter=unfinished)]
