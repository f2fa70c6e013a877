"""The ports of a stack: its supervisor listens on them for as long as it lives, and lends them to its servers.

Were a server to take its port by itself, another user of the machine could have it between its end and its next start,
and would be sent the keys of whoever asks. The supervisor has to listen, too: a port that is bound and not listened on
is anybody's who binds it with SO_REUSEADDR, which a server needs, since what lingers of ended connections would keep it
from starting.
"""

import errno
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

import psutil

from model.errors import ConfigurationError
from tasks.operations.stack.parts import Part

LONGEST_COMMAND = 100
# How many may wait while nobody answers: half a second's worth.
BACKLOG = 128


@contextmanager
def taken(parts: Iterable[Part]) -> Iterator[Mapping[str, socket.socket]]:
    """Listen on the port of every part that has one, until the block is left; the sockets by the parts' names.

    ConfigurationError for the first port that somebody else listens on, with who that is.
    """
    with ExitStack() as kept:
        found = {}
        for part in parts:
            if part.port is None or part.host is None:
                continue
            try:
                found[part.name] = kept.enter_context(_listen(part.host, part.port))
            except OSError as error:
                in_use = error.errno == errno.EADDRINUSE
                fault = os.strerror(error.errno or errno.EINVAL)
                raise ConfigurationError(
                    f"port {part.port} of {part.host}, for {part.title}",
                    have=f"in use{_by(part.port)}" if in_use else f"this user cannot listen on it: {fault}",
                    need="a free port",
                    remedy=f"end the program that listens there, or choose another: --{part.name}-port N, "
                    f"or {part.setting} in mlflow.yaml",
                    port=part.port,
                ) from None
        yield found


def hang_up(listening: socket.socket) -> None:
    """End the connections that wait for a server which is away: their clients try again, and do not wait in vain."""
    with suppress(OSError):  # nobody waits any more
        listening.setblocking(False)  # what a server that had it may have changed
        while True:
            listening.accept()[0].close()


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listening.family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # A server that is handed a socket does not know of which kind it is, and would let short answers wait.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def _by(port: int) -> str:
    """Who listens there, as far as this user may see."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and any(_listens(found, port) for found in process.net_connections("tcp")):
                return f", by process {process.pid}: {' '.join(process.cmdline())[:LONGEST_COMMAND]}"
    return ""


def _listens(connection: "psutil._ntuples.pconn", port: int) -> bool:
    return connection.status == psutil.CONN_LISTEN and connection.laddr[1] == port
