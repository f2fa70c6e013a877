"""Makes or updates the deployments of prefect.yaml on a Prefect server."""

import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from model.errors import ConfigurationError
from model.market.calendar import ExchangeCalendar
from tasks.operations.stack.prefect_api import PrefectApi
from tasks.operations.stack.schedules import moved
from tasks.settings import project_file
from tasks.system import durations

WORK_POOL = "local-pool"
SHOWN_LINES = 8
# The job template: every run uses Prefect's own command, the worker's environment and a folder of its own. Prefect's
# own template has variables for these, which a run or a deployment may set; this one has none and refuses them. It also
# leaves out `env`, since Prefect would add a run's variables to it in any case.
JOBS: Mapping[str, Any] = {
    "job_configuration": {"stream_output": True},
    "variables": {"type": "object", "properties": {}, "additionalProperties": False},
}


def deploy(
    api: PrefectApi,
    variables: Mapping[str, str],
    parameters: Mapping[str, Any],
    *,
    is_ours: bool = True,
    calendar: ExchangeCalendar | None = None,
    places: Collection[str] = (),
) -> tuple[str, ...]:
    """Make or update the work pool and the deployments; returns a line for each schedule that stays paused.

    variables:  the environment of the `prefect deploy` command
    parameters: for each deployment whose flow takes them, in place of the flow's defaults
    is_ours:    whether the server is part of the stack; on any other, a pool of that name is left unchanged
    calendar:   of the exchange whose open and close the schedules follow; None: New York's
    places:     tags that name the stores of the runs, which refuse to work on others

    ConfigurationError where prefect.yaml is missing or Prefect refuses it.
    """
    file = project_file("prefect.yaml")
    if not file.is_file():
        raise ConfigurationError(
            str(file), have="no such file", need="the deployments, in a file beside the packages", remedy="put it back"
        )
    project = file.parent
    paused = _paused(api)
    api.set_pool(WORK_POOL, JOBS, renew=is_ours)
    key = {"PREFECT_API_AUTH_STRING": api.key} if api.key else {}
    _prefect(project, {**variables, **key}, "--no-prompt", "deploy", "--all")
    deployed = api.deployments()
    for deployment in deployed.values():
        taken = deployment["parameter_openapi_schema"].get("properties", {})
        given = {name: value for name, value in parameters.items() if name in taken}
        if given:
            api.set_parameters(deployment, given)
        if places:
            api.set_tags(deployment, {*deployment["tags"], *places})
        for schedule in deployment["schedules"]:
            to = None if calendar is None else moved(schedule["schedule"], schedule["slug"] or "", calendar)
            if to is not None:
                api.reschedule(deployment, schedule, to)
    notes = []
    for name, slugs in paused.items():
        if slugs and name in deployed:
            api.pause(deployed[name], slugs)
            notes.append(f"{name}: {', '.join(slugs)} stays paused, as it was")
    return tuple(notes)


def _paused(api: PrefectApi) -> dict[str, list[str]]:
    """Deployment -> its paused schedules, to be paused again, since deploying makes all of them active."""
    return {
        name: [schedule["slug"] for schedule in deployment["schedules"] if not schedule["active"] and schedule["slug"]]
        for name, deployment in api.deployments().items()
    }


def _prefect(project: Path, variables: Mapping[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", *arguments],
        env=dict(variables),
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=durations.DEPLOY,
        # Ctrl-C reaches only the stack, which waits for this command and then ends.
        start_new_session=True,
        check=False,
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-SHOWN_LINES:]
        raise ConfigurationError(
            f"prefect {' '.join(arguments)}",
            have="it failed:\n    " + "\n    ".join(said),
            need="deployments that Prefect takes, in prefect.yaml",
            remedy="correct what it names",
        )
