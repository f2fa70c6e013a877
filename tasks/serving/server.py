"""Runs the application on a socket, until a signal asks it to end."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from tasks.serving.access import ServingGuard
from tasks.serving.app import create_app
from tasks.serving.service import Clock
from tasks.settings import Settings
from tasks.system import durations
from tasks.system.access.guard import Door
from tasks.system.access.secret import state_keys

# MLflow's own patience of two minutes is for commands; here the next look comes in a few seconds.
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "15"}

# Seconds for which a thread may keep the others waiting; with Python's 5 ms, an answer waits several times as long
# while a version is loaded.
FAIR = 0.001


class Server(uvicorn.Server):
    """A server that ends at a signal, and says which it was in place of raising it again.

    asked: the signal's name
    """

    asked = ""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while it runs."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._end) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, number: int, _: FrameType | None) -> None:
        self.asked = signal.Signals(number).name
        self.should_exit = True


def serve(settings: Settings, clock: Clock, listening: socket.socket, salt: str) -> str:
    """Serve on a socket that listens, until a signal comes; returns its name.

    salt: part of the link for browsers and of their cookies, which end with it
    """
    for name, value in IMPATIENT.items():
        os.environ.setdefault(name, value)
    sys.setswitchinterval(FAIR)
    keys = state_keys(settings)
    door = Door(settings.serving.address, keys.proof, settings.serving.allowed_hosts)
    app = create_app(settings, clock)
    app.state.service.versions.freezes = True
    guarded = ServingGuard(app, door, keys.serving, salt, is_open=settings.serving.open)
    server = Server(
        uvicorn.Config(
            guarded,
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=durations.END_REQUESTS,
        )
    )
    server.run([listening])
    return server.asked
