"""Whether the server at an address is ours, and which key to send it: our keys go to our own servers alone.

A server is ours if the stack that holds the lock of this state directory has recorded its address, and if it answers a
challenge. Another program that takes the port of an ended stack, or of a restarting server, is sent nothing.
"""

import hmac
import os
import sys
import time
import urllib.request
from contextlib import suppress
from http.client import HTTPException
from secrets import token_hex
from typing import TYPE_CHECKING

from model.errors import ConfigurationError
from tasks.settings import Settings
from tasks.system import durations
from tasks.system.access.guard import ANSWER, CHALLENGE, HEALTH, Door
from tasks.system.access.secret import Keys, state_keys
from tasks.system.access.stack_state import PartState, read_stack

if TYPE_CHECKING:
    from prefect.server.api.server import SubprocessASGIServer

LOCALHOST, NUMBER = "//localhost:", "//127.0.0.1:"


def prefect_key(settings: Settings, api: str, patience: float = durations.OWN_SERVER) -> str | None:
    """The key for the Prefect server with this API: ours for our own server, else PREFECT_API_AUTH_STRING, else None.

    patience: seconds to wait for our own server, which may be restarting; then ConfigurationError
    """
    keys = _keys_of(settings, "prefect", api.removesuffix("/").removesuffix("/api"), "/api", patience)
    return keys.prefect if keys else os.environ.get("PREFECT_API_AUTH_STRING") or None


def mlflow_key(settings: Settings, address: str, patience: float = durations.OWN_SERVER) -> str | None:
    """The key for our own MLflow server; None for any other, for which the user's own variables count."""
    keys = _keys_of(settings, "mlflow", address.removesuffix("/"), "", patience)
    return keys.mlflow if keys else None


def serving_key(settings: Settings, address: str, patience: float = durations.OWN_SERVER) -> str | None:
    """The key for the board of the running stack; None for any other server."""
    keys = _keys_of(settings, "serving", address.removesuffix("/"), "", patience)
    return keys.serving if keys else None


def proves_itself(door: Door, base: str = "") -> bool:
    """Whether the server that listens there is the one that was started there.

    base: the path before that of its health check
    """
    challenge = token_hex(16)
    request = urllib.request.Request(  # noqa: S310 - an address of our own
        f"{door.address}{base}{HEALTH}", headers={CHALLENGE.decode(): challenge}
    )
    # A proxy is for the world outside, not for servers of this machine.
    plain = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with plain.open(request, timeout=durations.ASK_PREFECT) as answer:
            said = answer.headers.get(ANSWER.decode(), "")
    except (OSError, ValueError, HTTPException):  # urllib's own errors among them
        return False
    return hmac.compare_digest(said.encode(), door.answer(challenge).encode())


def start_own(server: "SubprocessASGIServer", keys: Keys) -> None:
    """Start a Prefect server for this process, and wait for it; ConfigurationError if it does not prove itself.

    Prefect's own wait fails when an answer takes longer than five seconds, as it may on a busy machine.
    """
    import httpx

    # A server that is only slow still starts, and one that has ended is named below.
    with suppress(RuntimeError, httpx.HTTPError):
        server.start()
    deadline = time.monotonic() + durations.START_PREFECT
    while not proves_itself(Door(server.address, keys.proof), "/api"):
        ended = server.server_process is None or server.server_process.poll() is not None
        if ended or time.monotonic() >= deadline:
            raise ConfigurationError(
                f"Prefect's server at {server.api_url}",
                have="it ended while it started" if ended else "it does not answer, or another program answers there",
                need="the server that this command has started",
                remedy="run it again when this machine is less busy, or with a server that runs: tomorrow up",
            )
        time.sleep(durations.LOOK)
    server.running = True


def _keys_of(settings: Settings, part: str, address: str, base: str, patience: float) -> Keys | None:
    """The keys for a part of the running stack; None where no part has this address."""
    deadline, is_said = time.monotonic() + patience, patience == 0
    # Asked each time: a process that only looks holds the lock for a moment, so an ended stack may seem to run.
    while known := _part_at(settings, part, address):
        keys = state_keys(settings)
        if proves_itself(Door(address, keys.proof), base):
            return keys
        if not is_said:
            sys.stderr.write(f"tomorrow: waiting for the server of tomorrow up at {address}, which does not answer\n")
            is_said = True
        if time.monotonic() >= deadline:
            raise ConfigurationError(
                f"the server of tomorrow up at {address}",
                have="it does not answer, or another program answers in its place: it was not sent our key",
                need="the server that the stack of this state directory has started",
                remedy=f"see how it is: tomorrow status; and its log: {known.log}",
            )
        time.sleep(durations.LOOK)
    if LOCALHOST in address and (known := _part_at(settings, part, address.replace(LOCALHOST, NUMBER, 1))):
        raise ConfigurationError(
            f"the server at {address}{base}",
            have="another name of the server of tomorrow up, which answers only at its own address",
            need=f"{known.address}{base}",
            remedy="use that address: a name may mean several, and another program may listen at one of them",
        )
    return None


def _part_at(settings: Settings, part: str, address: str) -> PartState | None:
    stack = read_stack(settings)
    known = stack.part(part) if stack else None
    return known if known and known.address == address else None
