"""Whether the ports that a stack needs are free, and who holds those that are not."""

import errno
import os
import socket
from collections.abc import Iterable
from contextlib import suppress

import psutil

from model.errors import ConfigurationError
from tasks.operations.stack.parts import Part

LONGEST_COMMAND = 100


def check_free(parts: Iterable[Part]) -> None:
    """ConfigurationError for the first port that somebody else listens on, with who that is."""
    for part in parts:
        server = part.server
        fault = _fault(server.host, server.port) if server else None
        if server is None or fault is None:
            continue
        taken = fault == errno.EADDRINUSE
        raise ConfigurationError(
            f"port {server.port} of {server.host}, for {part.title}",
            have=f"in use{_by(server.port)}" if taken else f"it cannot be listened on: {os.strerror(fault)}",
            need="a port that nobody listens on",
            remedy=f"end what listens there, or choose another: --{part.name}-port N, or {part.setting} in mlflow.yaml",
            port=server.port,
        )


def _fault(host: str, port: int) -> int | None:
    """The number of the error with which a server could not listen there; None where it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As the servers do: what lingers of connections that have ended is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return error.errno or errno.EINVAL
    return None


def _by(port: int) -> str:
    """Who listens there, as far as this user may see."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            listening = {c.laddr[1] for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
            if port in listening:
                return f", by process {process.pid}: {' '.join(process.cmdline())[:LONGEST_COMMAND]}"
    return ""
