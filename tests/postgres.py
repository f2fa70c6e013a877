"""A PostgreSQL server for the tests: one that is named, or a private one made of what is installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

ENVIRONMENT = "TOMORROW_TEST_POSTGRES"


@contextmanager
def postgres_server() -> Iterator[sa.URL]:
    """Give a server on which databases may be made; skip the test where there is none."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        yield sa.make_url(named).set(drivername="postgresql+psycopg")
        return
    programs = _programs()
    user = _unprivileged_user()
    if programs is None or user is None:
        pytest.skip(f"no PostgreSQL server: install Debian's package postgresql, or name one in {ENVIRONMENT}")
    with _private_server(programs, user) as url:
        yield url


@contextmanager
def database_on(server: sa.URL, how: str = "") -> Iterator[str]:
    """Make an empty database, give its address, and remove it afterwards.

    how: what stands after CREATE DATABASE and its name
    """
    name = f"tomorrow_{uuid4().hex}"
    engine = sa.create_engine(server, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} {how}")
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _private_server(programs: Path, user: str) -> Iterator[sa.URL]:
    """Run a cluster in a folder of its own, which listens on a socket in it and on no port."""
    become = [] if user == _own_name() else ["runuser", "-u", user, "--"]
    # A command that ran in the tests' own process may have given it a temporary folder that is closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="tomorrow-postgres-", dir="/tmp" if become else None))  # noqa: S108
    if become:
        shutil.chown(folder, user)
    data = folder / "data"
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c max_connections=60"

    def run(program: str, *arguments: str) -> None:
        command = [*become, str(programs / program), "-D", str(data), *arguments]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)

    try:
        run("initdb", "--auth=trust", "--username=tomorrow", "--encoding=UTF8", "--no-sync")
        run("pg_ctl", "start", "--wait", "-l", str(folder / "log"), "-o", options)
        try:
            yield sa.URL.create("postgresql+psycopg", "tomorrow", database="postgres", query={"host": str(folder)})
        finally:
            run("pg_ctl", "stop", "--mode=immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    """Find the newest PostgreSQL that is installed; Debian keeps its server off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    beside = shutil.which("initdb")
    return found[-1].parent if found else Path(beside).parent if beside else None


def _unprivileged_user() -> str | None:
    """Who may run the server, which refuses to run as root."""
    if os.geteuid() != 0:
        return _own_name() if os.geteuid() in {entry.pw_uid for entry in pwd.getpwall()} else None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names and shutil.which("runuser") else None


def _own_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name
