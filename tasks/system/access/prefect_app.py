"""Prefect's server behind the guard, as uvicorn starts it; it is never started without the guard."""

import os
import signal
import sys
import threading

from tasks.settings import project_folder
from tasks.system.access.guard import App, Door, Guard

# Set for a server that is to end with the process that started it.
ENDS_WITH_STARTER = "TOMORROW_ENDS_WITH_STARTER"


def create() -> App:
    """The application that `server_command` serves."""
    from prefect.server.api.server import create_app

    if os.environ.get(ENDS_WITH_STARTER):
        threading.Thread(target=_end_with_starter, name="starter", daemon=True).start()
    return Guard(create_app(), Door.here())


def _end_with_starter() -> None:
    """End this server when its standard input is closed: then the process that started it has ended or was killed."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def server_command(*place: str, level: str = "warning") -> tuple[str, ...]:
    """The command of a server; its Door and Prefect's settings are its environment.

    place: uvicorn's options for where it listens
    """
    return (
        *(sys.executable, "-m", "uvicorn", "--factory", "tasks.system.access.prefect_app:create"),
        *("--app-dir", str(project_folder()), *place),
        *("--lifespan", "on", "--log-level", level),
    )


def server_variables(door: Door, key: str) -> dict[str, str]:
    """The environment of a server, in addition to Prefect's own settings.

    key: that its clients have to send
    """
    return {
        **door.variables(),
        "PREFECT_SERVER_API_AUTH_STRING": key,
        "PREFECT_API_AUTH_STRING": key,
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": door.address,
        # The key protects as its CSRF tokens would, and our clients do not ask for those.
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "false",
        # Prefect then leaves out what only tests need, and takes 50 MB less.
        "PREFECT__SERVER_FINAL": "1",
    }
