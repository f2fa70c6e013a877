"""Whose server it is that an address names, and what it is to be sent: our keys go to our own servers alone.

A server is our own where the stack that runs on this state directory, and holds its lock, has written its address down,
and where it can answer a challenge. Whoever takes the port of a stack that has ended, or of a server that is being
started again, is sent nothing.
"""

import hmac
import os
import sys
import time
import urllib.request
from http.client import HTTPException
from secrets import token_hex

from model.errors import ConfigurationError
from tasks.settings import Settings
from tasks.system import durations
from tasks.system.access.guard import ANSWER, CHALLENGE, HEALTH, Door
from tasks.system.access.secret import Keys, state_keys
from tasks.system.access.stack_state import PartState, read_stack

LOCALHOST, NUMBER = "//localhost:", "//127.0.0.1:"


def prefect_key(settings: Settings, api: str, patience: float = durations.OWN_SERVER) -> str | None:
    """What the Prefect server with this API is to be sent: ours, or what the user has set for one elsewhere.

    patience: seconds for a server of ours that does not answer, as while it is being started again
    """
    keys = _keys_of(settings, "prefect", api.removesuffix("/").removesuffix("/api"), "/api", patience)
    return keys.prefect if keys else os.environ.get("PREFECT_API_AUTH_STRING") or None


def mlflow_key(settings: Settings, address: str, patience: float = durations.OWN_SERVER) -> str | None:
    """What the MLflow server there is to be sent; None where it is none of ours, and the user's own variables count."""
    keys = _keys_of(settings, "mlflow", address.removesuffix("/"), "", patience)
    return keys.mlflow if keys else None


def proves_itself(door: Door, base: str = "") -> bool:
    """Whether the server that listens there is the one that was started there.

    base: what stands before the path of its health check
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


def _keys_of(settings: Settings, part: str, address: str, base: str, patience: float) -> Keys | None:
    """The keys for a part of the stack that runs; None where the address is none of its parts'."""
    deadline, is_said = time.monotonic() + patience, patience == 0
    # Asked each time: for a moment another process that looks holds the lock of a stack that has ended.
    while known := _part_at(settings, part, address):
        keys = state_keys(settings)
        if proves_itself(Door(address, keys.proof), base):
            return keys
        if time.monotonic() >= deadline:
            raise ConfigurationError(
                f"the server of tomorrow up at {address}",
                have="it does not answer, or another program answers in its place: it was not sent our key",
                need="the server that the stack of this state directory has started",
                remedy=f"see how it is: tomorrow status; and its log: {known.log}",
            )
        if not is_said:
            sys.stderr.write(f"tomorrow: waiting for the server of tomorrow up at {address}, which does not answer\n")
            is_said = True
        time.sleep(durations.LOOK)
    if LOCALHOST in address and (known := _part_at(settings, part, address.replace(LOCALHOST, NUMBER, 1))):
        raise ConfigurationError(
            f"the server at {address}{base}",
            have="the server of tomorrow up by another name, which it does not answer for",
            need=f"{known.address}{base}",
            remedy="use that address: a name may mean several places, at some of which somebody else may listen",
        )
    return None


def _part_at(settings: Settings, part: str, address: str) -> PartState | None:
    stack = read_stack(settings)
    known = stack.part(part) if stack else None
    return known if known and known.address == address else None
