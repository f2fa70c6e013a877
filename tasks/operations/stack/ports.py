"""Whether the ports that a stack needs are free, and who holds those that are not."""

import errno
import os
import socket
from collections.abc import Iterable
from pathlib import Path

from model.errors import ConfigurationError
from tasks.operations.stack.parts import Part

PROCESSES = Path("/proc")
LISTENING = "0A"
LONGEST_COMMAND = 100


def demand_free(parts: Iterable[Part]) -> None:
    """ConfigurationError for the first port that somebody else listens on, with who that is."""
    for part in parts:
        if part.port is None or part.host is None:
            continue
        fault = _fault(part.host, part.port)
        if fault is None:
            continue
        taken = fault == errno.EADDRINUSE
        raise ConfigurationError(
            f"port {part.port} of {part.host}, for {part.title}",
            have=f"in use{_by(part.port)}" if taken else f"it cannot be listened on: {os.strerror(fault)}",
            need="a port that nobody listens on",
            remedy=f"end what listens there, or choose another: --{part.name}-port N, or {part.setting} in mlflow.yaml",
            port=part.port,
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
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    for folder in PROCESSES.glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in sockets for link in (folder / "fd").iterdir()):
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return f", by process {folder.name}: {words[:LONGEST_COMMAND]}"
        except OSError:
            continue
    return ""


def _listening(port: int) -> Iterable[str]:
    """The inodes of the sockets that listen on a port."""
    for table in ("tcp", "tcp6"):
        try:
            rows = (PROCESSES / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]
