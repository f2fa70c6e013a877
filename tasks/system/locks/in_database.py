"""A lock that holds among all who share a PostgreSQL database, on whatever machine: an advisory lock of a session.

It stands on a connection of its own. When its holder is killed, the connection is closed, and with it the lock is free;
when the holder's machine is gone, the database notices after a minute. A lock is no row and no table: it needs no right
but to connect. Where a pooler stands before the database, it has to hand over sessions, not transactions.
"""

import logging
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from model.errors import ConfigurationError
from tasks.settings import Address
from tasks.system import durations
from tasks.system.disk_errors import obstacle
from tasks.system.postgresql import only_utf8

if TYPE_CHECKING:
    from sqlalchemy import Connection

# As both ends of the connection look after the other: so a machine that is gone holds no lock for longer than a minute,
# and its own sessions are not ended for being idle.
SESSION = {
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "4",
    "idle_session_timeout": "0",
}
KEEPALIVES = {"keepalives": 1, "keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 4}
# PostgreSQL shows so many bytes of what a session calls itself.
LONGEST_HOST = 24
OF_THIS_LOCK = (
    "locktype = 'advisory' AND granted AND objsubid = 1 AND ((classid::bigint << 32) | objid::bigint) = :key "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    """A lock that a thread holds: its connection, the session by which the database knows that, how often it took it.

    The session tells a connection that broke, and was made again, from the one that took the lock.
    """

    connection: "Connection"
    session: int
    times: int = 1


class _OfThread(threading.local):
    """What the present thread holds: process, address and name -> the lock."""

    def __init__(self) -> None:
        self.held: dict[tuple[int, str, str], _Held] = {}


_of_thread = _OfThread()


class DatabaseLock:
    """The lock of a name in a database; it belongs to the thread that took it, which may take it again.

    ConfigurationError where the database cannot be asked, or where the lock was lost when it is taken again.
    """

    def __init__(self, address: Address, name: str) -> None:
        self._address = address
        self._name = name
        self._key = key_of(name)

    @property
    def place(self) -> str:
        """Where it is, without a password."""
        return str(self._address)

    def acquire(self, seconds: float) -> bool:
        """Take it; False if another holder kept it for so long."""
        held = _of_thread.held.get(self._mine)
        with self._errors():
            if held is not None:
                self._check(held)
                held.times += 1
                return True
            connection = self._connect()
            try:
                session = self._wait(connection, seconds)
            except BaseException:
                connection.close()
                raise
        if session is None:
            connection.close()
            return False
        _of_thread.held[self._mine] = _Held(connection, session)
        return True

    def release(self) -> None:
        """Give it back. What was done under it is done: that it was lost meanwhile is logged, and is no error."""
        from sqlalchemy import text
        from sqlalchemy.exc import SQLAlchemyError

        held = _of_thread.held[self._mine]
        held.times -= 1
        if held.times:
            return
        del _of_thread.held[self._mine]
        try:
            # Not by closing the connection alone, which the database notices a moment later.
            is_free = held.connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": self._key}).scalar()
        except SQLAlchemyError:
            is_free = False
        finally:
            held.connection.close()
        if not is_free:
            logger.warning("The lock %r in %s was lost while it was held.", self._name, self.place)

    def sign(self, mine: str) -> None:
        """Show in the database who holds it."""
        from sqlalchemy import text

        held = _of_thread.held[self._mine]
        with self._errors():
            held.connection.execute(text("SELECT set_config('application_name', :mine, false)"), {"mine": mine})

    def holder(self) -> str:
        """Who holds it, as the database shows it; a process that has just given it back is another one."""
        from sqlalchemy import text

        query = f"SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE {OF_THIS_LOCK}"  # noqa: S608
        with self._errors(), self._connect() as connection:
            found = connection.execute(text(query), {"key": self._key}).scalar()
        return str(found or "another process")

    @property
    def _mine(self) -> tuple[int, str, str]:
        return os.getpid(), self._address.secret, self._name

    def _connect(self) -> "Connection":
        from sqlalchemy import create_engine, make_url, text
        from sqlalchemy.pool import NullPool

        url = make_url(self._address.secret).set(drivername="postgresql+psycopg")
        engine = create_engine(
            url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": durations.LEDGER, **KEEPALIVES},
        )
        connection = only_utf8(engine, f"the database {self.place}").connect()
        for name, value in {**SESSION, "application_name": this_process()}.items():
            # Those that this PostgreSQL knows.
            query = "SELECT set_config(name, :value, false) FROM pg_settings WHERE name = :name"
            connection.execute(text(query), {"name": name, "value": value})
        return connection

    def _wait(self, connection: "Connection", seconds: float) -> int | None:
        """The session that has the lock; None where another one kept it for so long."""
        from sqlalchemy import text

        query, deadline = text("SELECT pg_try_advisory_lock(:key), pg_backend_pid()"), time.monotonic() + seconds
        while True:
            is_ours, session = connection.execute(query, {"key": self._key}).one()
            if is_ours:
                return int(session)
            if time.monotonic() >= deadline:
                return None
            time.sleep(durations.LOOK_AT_LOCK)

    def _check(self, held: _Held) -> None:
        """Whoever takes the lock again is about to change something: ConfigurationError where it was lost."""
        from sqlalchemy import text
        from sqlalchemy.exc import SQLAlchemyError

        try:
            is_same = held.connection.execute(text("SELECT pg_backend_pid()")).scalar() == held.session
        except SQLAlchemyError:
            is_same = False
        if not is_same:
            raise ConfigurationError(
                f"lock {self._name!r} in {self.place}",
                have="the connection that held it has broken, so that others may have changed something meanwhile",
                need="a lock that is held until the change is made",
                remedy="see to the database and the network, then run it again",
            )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the database's errors into one that names it, without its password."""
        from sqlalchemy.exc import ArgumentError, DBAPIError

        try:
            yield
        except (ModuleNotFoundError, ArgumentError, ValueError, DBAPIError) as error:
            stopped = obstacle(error)
            have, need = "an address that cannot be read", "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
            remedy = "correct it in mlflow.yaml, or in the environment"
            if isinstance(error, ModuleNotFoundError):
                have, need = f"no package {error.name}", "the driver for PostgreSQL"
                remedy = "install tomorrow[postgresql]"
            elif isinstance(error, DBAPIError):
                have, need = " ".join(str(error.orig).split()), "a database that can be opened"
                remedy = stopped.remedy if stopped else "see to the database, or name another in mlflow.yaml"
            raise ConfigurationError(
                f"lock {self._name!r} in {self.place}", have=have, need=need, remedy=remedy
            ) from None


def key_of(name: str) -> int:
    """The number by which PostgreSQL knows the lock of a name: 64 bits with a sign."""
    return int.from_bytes(sha256(f"tomorrow lock {name}".encode()).digest()[:8], "big", signed=True)


def this_process() -> str:
    """How this process is shown to those that wait for it."""
    return f"process {os.getpid()} on {platform.node()[:LONGEST_HOST]}"
