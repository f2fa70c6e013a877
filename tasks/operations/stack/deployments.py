"""Makes or updates the deployments of prefect.yaml on a Prefect server."""

import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from model.errors import ConfigurationError
from model.market.calendar import ExchangeCalendar
from tasks.operations.stack.prefect_api import PrefectApi
from tasks.operations.stack.schedules import moved
from tasks.settings import project_file
from tasks.settings.written_config import complete
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
    parameters: in place of those of the same names in prefect.yaml
    is_ours:    whether the server is part of the stack; on any other, a pool of that name is left unchanged
    calendar:   of the exchange whose open and close the schedules follow; None: New York's
    places:     tags that name the stores of the runs, which refuse to work on others

    ConfigurationError where prefect.yaml is missing or damaged or names a preset that cannot be used, or Prefect
    refuses it.
    """
    file = project_file("prefect.yaml")
    if not file.is_file():
        raise ConfigurationError(
            str(file), have="no such file", need="the deployments, in a file beside the packages", remedy="put it back"
        )
    paused, key = _paused(api), {"PREFECT_API_AUTH_STRING": api.key} if api.key else {}
    api.set_pool(WORK_POOL, JOBS, renew=is_ours)
    whole = _read(file)
    deployments = whole["deployments"]
    for deployment in deployments:
        _complete(deployment, parameters, calendar, places, paused.get(deployment["name"], ()))
        _check_preset(deployment, file)
    with TemporaryDirectory() as folder:
        complete = Path(folder) / file.name
        complete.write_text(yaml.safe_dump(whole), encoding="utf-8")
        options = ("deploy", "--all", "--prefect-file", str(complete))
        _prefect(file.parent, {**variables, **key}, "--no-prompt", *options)
    return tuple(
        f"{deployment['name']}: {', '.join(slugs)} stays paused, as it was"
        for deployment in deployments
        if (slugs := paused.get(deployment["name"]))
    )


def _read(file: Path) -> dict[str, Any]:
    have = "no deployments as Prefect describes them, each with a name"
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        found, have = None, f"not YAML: {' '.join(str(error).split())}"
    named = found.get("deployments") if isinstance(found, dict) else None
    if not isinstance(named, list) or not all(_is_deployment(each) for each in named):
        raise ConfigurationError(
            str(file), have=have, need="deployments that Prefect takes", remedy="correct it, or put the original back"
        )
    return {**found, "deployments": named}


def _is_deployment(each: object) -> bool:
    """Whether it has the shape that `_complete` needs; Prefect checks the rest."""
    if not isinstance(each, dict) or not isinstance(each.get("name"), str):
        return False
    schedules, tags = each.get("schedules") or [], each.get("tags") or []
    return (
        isinstance(each.get("parameters") or {}, dict)
        and isinstance(tags, list)
        and all(isinstance(tag, str) for tag in tags)
        and isinstance(schedules, list)
        and all(isinstance(schedule, dict) for schedule in schedules)
    )


def _complete(
    deployment: dict[str, Any],
    parameters: Mapping[str, Any],
    calendar: ExchangeCalendar | None,
    places: Collection[str],
    paused: Collection[str],
) -> None:
    """Fill in a deployment of the file.

    Prefect plans runs as soon as it knows of a deployment. Those of one that were completed afterwards could be without
    the parameters and places.
    """
    own = deployment.get("parameters") or {}
    deployment["parameters"] = {**own, **{name: value for name, value in parameters.items() if name in own}}
    deployment["tags"] = sorted({*(deployment.get("tags") or ()), *places})
    for schedule in deployment.get("schedules") or ():
        slug = str(schedule.get("slug", ""))
        schedule.update((calendar and moved(schedule, slug, calendar)) or {})
        if slug in paused:
            schedule["active"] = False


def _check_preset(deployment: Mapping[str, Any], file: Path) -> None:
    """ConfigurationError where each run of it would fail, for want of the preset that it names."""
    try:
        complete(deployment["parameters"].get("forecaster"))
    except ValueError as error:
        raise ConfigurationError(
            f"the deployment {deployment['name']} in {file}",
            have=str(error),
            need="a preset that can be used",
            remedy="correct its file, or name another one; `tomorrow presets` lists them",
        ) from None


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
