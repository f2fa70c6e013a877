"""Which database a ledger's address names, and the engine that connects to it."""

from functools import lru_cache

import sqlalchemy as sa

from model.errors import ConfigurationError
from tasks.settings import Address, sqlite_file
from tasks.system import durations
from tasks.system.disk_errors import folder_fault
from tasks.system.postgresql import only_utf8

DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def parse_address(uri: str) -> sa.URL:
    """The address, with the driver that is used; ConfigurationError where it is of no database that can be used."""
    try:
        url = sa.make_url(uri)
    except (sa.exc.ArgumentError, ValueError):
        # The address is not shown: it cannot be parsed, so a password may be anywhere in it.
        raise _unusable("its address", "an address that cannot be read") from None
    if url.drivername not in DRIVERS:
        raise _unusable(shown(url), f"a database of kind {url.drivername}")
    if url.drivername.startswith("sqlite") and url.database in (None, "", ":memory:"):
        raise _unusable(shown(url), "a database in memory, which is lost when the command ends")
    return url.set(drivername=DRIVERS[url.drivername])


def shown(url: sa.URL) -> str:
    """The address without passwords."""
    return str(Address(url.render_as_string(hide_password=False)))


def _unusable(place: str, have: str) -> ConfigurationError:
    return ConfigurationError(
        f"the ledger: {place}",
        have=have,
        need="sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE",
        remedy="correct ledger.uri in mlflow.yaml, or TOMORROW_LEDGER_URI",
    )


def engine_of(url: sa.URL) -> sa.Engine:
    """The engine of an address; an SQLite file's folder is made, else ConfigurationError."""
    if url.get_backend_name() == "sqlite":
        folder = sqlite_file(url.database or "").parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            remedy = "set TOMORROW_HOME to a folder of yours, or correct ledger.uri in mlflow.yaml"
            raise folder_fault(f"the ledger's folder {folder}", error, remedy) from None
    try:
        return _made(url)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the ledger {shown(url)}",
            have=f"no package {error.name}",
            need="the driver for PostgreSQL",
            remedy="install tomorrow[postgresql]",
        ) from None


@lru_cache(maxsize=8)
def _made(url: sa.URL) -> sa.Engine:
    """The engine. It keeps no connection, but the statements that it has compiled: that takes longer than most do."""
    waits = "timeout" if url.get_backend_name() == "sqlite" else "connect_timeout"
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={waits: durations.LEDGER})
    return only_utf8(engine, f"the ledger {shown(url)}")
