"""The ports of a stack: the supervisor listens on them all the time, and lends the sockets to its servers.

If a server opened its port itself, another user of the machine could take it between the server's end and its restart,
and would receive the clients' keys. Binding is not enough, the supervisor has to listen: while nobody listens, anybody
else may bind the same port with SO_REUSEADDR. A server needs that option, since remains of ended connections would
otherwise keep it from starting.
"""

import errno
import os
import socket
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

import psutil

from model.errors import ConfigurationError
from tasks.operations.stack.parts import Part

LONGEST_COMMAND = 100
# How many connections may wait while no server answers: those of half a second.
BACKLOG = 128


@contextmanager
def taken(parts: Iterable[Part]) -> Iterator[Mapping[str, socket.socket]]:
    """Listen on the port of every part that has one, until the end of the block; gives part's name -> socket.

    ConfigurationError for the first port that cannot be listened on; it names the process that uses it.
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
                    remedy=f"end the program that listens there, or choose another: {part.option} N, "
                    f"or {part.setting} in mlflow.yaml",
                    port=part.port,
                ) from None
        yield found


def is_lent() -> bool:
    """Whether the supervisor has lent this process a socket."""
    with suppress(OSError):  # no standard input
        return stat.S_ISSOCK(os.fstat(0).st_mode)
    return False


@contextmanager
def lent() -> Iterator[socket.socket]:
    """The socket that the supervisor has lent to this process, as its standard input."""
    with socket.socket(fileno=os.dup(0)) as listening:
        yield listening


def hang_up(listening: socket.socket) -> None:
    """Close the connections that wait for a server which is down, so that their clients try again at once."""
    with suppress(OSError):  # no connection is left
        listening.setblocking(False)  # a server that had the socket may have changed this
        while True:
            listening.accept()[0].close()


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listening.family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Servers do not set this on a socket that they are given; without it, short answers would be delayed.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def _by(port: int) -> str:
    """The process that listens there, as a clause; empty where this user may not see it."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and any(_listens(found, port) for found in process.net_connections("tcp")):
                return f", by process {process.pid}: {' '.join(process.cmdline())[:LONGEST_COMMAND]}"
    return ""


def _listens(connection: "psutil._ntuples.pconn", port: int) -> bool:
    return connection.status == psutil.CONN_LISTEN and connection.laddr[1] == port
