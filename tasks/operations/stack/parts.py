"""The parts of a stack: MLflow's server, Prefect's server, the board, the worker; how to start and check each."""

import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit

from tasks.operations.stack import mlflow_app
from tasks.operations.stack.deployments import WORK_POOL
from tasks.operations.stack.prefect_api import PrefectApi
from tasks.settings import Address, Settings
from tasks.system import durations
from tasks.system.access.guard import COOKIE_SALT, TOKEN, Door, is_everywhere
from tasks.system.access.own_servers import LOCALHOST, NUMBER, proves_itself
from tasks.system.access.prefect_app import server_command, server_variables
from tasks.system.access.secret import Keys, state_keys
from tasks.system.lock import state_id
from tasks.system.prefect_server import environment
from tasks.tracking.client import key_variables

DATABASE = Address("sqlite:///mlflow.db")
# Servers get their listening socket as standard input, the only file descriptor that `mlflow server` passes on.
LENT = ("--fd", "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process that is kept running.

    variables:  its environment, in addition to the supervisor's
    is_healthy: checks it, given the time of its start; None where the part that would know does not answer
    address:    of its pages; host, port: where a server listens; setting, option: for the port
    spares:     whether the processes that it started go on when it dies, until they end by themselves
    """

    name: str
    title: str
    command: tuple[str, ...]
    variables: Mapping[str, str]
    log: Path
    is_healthy: Callable[[datetime], bool | None]
    address: str | None = None
    host: str | None = None
    port: int | None = None
    setting: str = ""
    option: str = ""
    spares: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The parts in the order of their start, and the addresses of MLflow and Prefect, part of the stack or elsewhere.

    worker:    the name by which Prefect knows its worker
    variables: the environment that all parts share
    keys:      of the servers that are parts of the stack
    salt:      random, so that links and cookies are useless after the stack has ended
    """

    parts: tuple[Part, ...]
    tracking: Address
    api: PrefectApi
    variables: Mapping[str, str]
    worker: str = ""
    keys: Keys | None = None
    salt: str = ""


def stack(settings: Settings, prefect_elsewhere: str | None) -> Stack:
    """The stack for these settings; a server that they or the environment name elsewhere is used, not started."""
    mlflow_address = settings.server.address
    prefect_address = settings.prefect.address
    api_address = f"{prefect_address}/api"
    own_mlflow = not settings.tracking_uri.is_server or _numbered(settings.tracking_uri.secret) == mlflow_address
    is_ours = prefect_elsewhere is None or _numbered(prefect_elsewhere) == api_address
    elsewhere = None if is_ours else prefect_elsewhere
    tracking = Address(mlflow_address) if own_mlflow else settings.tracking_uri
    keys, salt, worker = state_keys(settings), token_hex(16), worker_name(settings)
    if elsewhere is None:
        api = PrefectApi(api_address, keys.prefect)
    else:
        api = PrefectApi(elsewhere, os.environ.get("PREFECT_API_AUTH_STRING"))
    shared = {
        **environment(settings, quiet=False),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "TOMORROW_HOME": str(settings.home),
        "MLFLOW_TRACKING_URI": tracking.secret,
        "PREFECT_API_URL": api.address,
        # Lines must reach the logs at once.
        "PYTHONUNBUFFERED": "1",
    }
    mlflow_door = Door(mlflow_address, keys.proof, settings.server.allowed_hosts)
    prefect_door = Door(prefect_address, keys.proof, settings.prefect.allowed_hosts)
    mlflow_variables = key_variables(keys.mlflow) if own_mlflow else {}
    parts = (
        *((_mlflow(settings, mlflow_door, keys, salt, shared),) if own_mlflow else ()),
        *((_prefect(settings, prefect_door, api, shared),) if elsewhere is None else ()),
        serving(settings, keys, salt, {**shared, **mlflow_variables}, "--serving-port"),
        _worker(settings, worker, api, {**shared, **mlflow_variables}),
    )
    return Stack(parts=parts, tracking=tracking, api=api, variables=shared, worker=worker, keys=keys, salt=salt)


def worker_name(settings: Settings) -> str:
    """A name for the state directory's worker that is unique on a shared Prefect server.

    It has the machine's name, too, since a state directory may have been copied to another machine.
    """
    return f"{platform.node()}-{state_id(settings)[:8]}"


def _numbered(address: str) -> str:
    """The address in the form of our own servers' addresses: 127.0.0.1 for localhost, no slash at the end."""
    return address.rstrip("/").replace(LOCALHOST, NUMBER, 1)


def store_of_server(settings: Settings) -> Settings:
    """The settings with which MLflow's server opens its database, also where `tracking.uri` names that server."""
    if not settings.tracking_uri.is_server:
        return settings
    return settings.model_copy(update={"tracking": settings.tracking.model_copy(update={"uri": DATABASE})})


def _mlflow(settings: Settings, door: Door, keys: Keys, salt: str, shared: Mapping[str, str]) -> Part:
    store = store_of_server(settings)
    hosts, pages = _as_mlflow_checks(door)
    return Part(
        name="mlflow",
        title="MLflow",
        command=(
            *(sys.executable, "-m", "mlflow", "server"),
            *("--host", settings.server.host, "--port", str(settings.server.port)),
            # MLflow's default, four workers and a job runner, takes five times the memory.
            *("--workers", "1", "--uvicorn-opts", f"--log-level warning {' '.join(LENT)}"),
            # Commands without a server store artifacts there, too.
            *("--default-artifact-root", settings.artifact_place, "--no-serve-artifacts"),
            # Our application: it puts the guard before MLflow's, which checks the key and the host.
            *("--app-name", mlflow_app.NAME),
            *("--allowed-hosts", "*" if is_everywhere(settings.server.host) else hosts),
            *("--cors-allowed-origins", "*" if is_everywhere(settings.server.host) else pages),
        ),
        # In the environment, not on the command line: an address may hold a password, and anybody can list commands.
        variables={
            **shared,
            "MLFLOW_TRACKING_URI": store.tracking_uri.secret,
            "MLFLOW_BACKEND_STORE_URI": store.tracking_uri.secret,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            # It reports promotions to the board, on this machine, and keeps the secret that it signs them with.
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
            "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": keys.mlflow_secrets,
            "MLFLOW_WEBHOOK_CACHE_TTL": "5",
            **door.variables(),
            TOKEN: keys.mlflow,
            COOKIE_SALT: salt,
        },
        log=settings.home / "logs" / "mlflow.log",
        is_healthy=lambda _: proves_itself(door),
        address=door.address,
        host=settings.server.host,
        port=settings.server.port,
        setting="server.port",
        option="--mlflow-port",
    )


def _as_mlflow_checks(door: Door) -> tuple[str, str]:
    """The hosts and the origins of pages that MLflow's own checks let pass, by patterns: those of the guard."""
    patterns = [pattern for name in door.names for pattern in (name, f"{name.replace('[', '[[]', 1)}:*")]
    hosts = [urlsplit(door.address).netloc, *patterns]
    pages = [door.address, *(f"{scheme}://{pattern}" for pattern in patterns for scheme in ("http", "https"))]
    return ",".join(hosts), ",".join(pages)


def _prefect(settings: Settings, door: Door, api: PrefectApi, shared: Mapping[str, str]) -> Part:
    return Part(
        name="prefect",
        title="Prefect",
        command=server_command(*LENT),
        variables={
            **shared,
            **server_variables(door, str(api.key)),
            # A page opened on another machine has to send requests to the address that it was loaded from.
            "PREFECT_SERVER_UI_API_URL": "/api" if door.names or is_everywhere(settings.prefect.host) else api.address,
            # Prefect copies its pages, by default into the installed packages, which others may share.
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(settings.home / "prefect" / "ui"),
            # By default flow runs and their logs are kept for ever, and events for a week.
            "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
            "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(settings.housekeeping.prefect_days * 86400),
        },
        log=settings.home / "logs" / "prefect.log",
        is_healthy=lambda _: proves_itself(door, "/api"),
        address=door.address,
        host=settings.prefect.host,
        port=settings.prefect.port,
        setting="prefect.port",
        option="--prefect-port",
    )


def serving(settings: Settings, keys: Keys, salt: str, variables: Mapping[str, str], option: str) -> Part:
    """The server of the board, which follows Production.

    option: of the command that starts it, for its port
    """
    door = Door(settings.serving.address, keys.proof, settings.serving.allowed_hosts)
    return Part(
        name="serving",
        title="the board",
        command=(sys.executable, "-m", "tomorrow", "serve"),
        variables={
            **variables,
            "TOMORROW_SERVING__HOST": settings.serving.host,
            "TOMORROW_SERVING__PORT": str(settings.serving.port),
            "TOMORROW_SERVING__ALLOWED_HOSTS": json.dumps(settings.serving.allowed_hosts),
            COOKIE_SALT: salt,
        },
        log=settings.home / "logs" / "serving.log",
        is_healthy=lambda _: proves_itself(door),
        address=door.address,
        host=settings.serving.host,
        port=settings.serving.port,
        setting="serving.port",
        option=option,
    )


def _worker(settings: Settings, name: str, api: PrefectApi, shared: Mapping[str, str]) -> Part:
    return Part(
        name="worker",
        title="the worker",
        command=(
            *(sys.executable, "-m", "prefect", "worker", "start"),
            *("--pool", WORK_POOL, "--type", "process", "--name", name, "--install-policy", "never"),
        ),
        # The runs that it starts have the same environment; the work pool does not let anybody add to it.
        variables={
            **shared,
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(durations.HEARTBEAT),
            **({"PREFECT_API_AUTH_STRING": api.key} if api.key else {}),
        },
        log=settings.home / "logs" / "worker.log",
        is_healthy=lambda since: api.is_online(WORK_POOL, name, since),
        # Flow runs go on without the worker that started them, and report to the server how they ended.
        spares=True,
    )
