"""Opens the ledger's database, and makes its tables if they are missing.

The default is SQLite in the state directory; an address may name PostgreSQL. The first process that opens it makes the
tables, all or none, while others wait.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from model.errors import ConfigurationError
from tasks.ledger.engine import engine_of, parse_address, shown
from tasks.ledger.schema import LEDGER_LOCK, LEDGER_VERSION, SINCE, forecasts, ledger_version, metadata
from tasks.ledger.triggers import missing_triggers, triggers
from tasks.system.disk_errors import obstacle, room

# Errors of parsing a row whose dates, numbers or JSON are damaged.
DAMAGE = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError)
DAMAGED_FILE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
RESTORE = (
    "put a copy of it in its place (docs/operations.md, Backup and restore), or name another ledger in mlflow.yaml"
)

T = TypeVar("T")

# The schema of each SQLite file in which this process has found every column and trigger: it is looked through again
# only after a change.
_sound: dict[sa.URL, int] = {}


class Damaged(Exception):
    """Damaged contents of the ledger's database; the text says what and where."""


class LedgerDatabase:
    """The tables at `uri`, ready for use; ConfigurationError where they cannot be used.

    No connection is kept between calls, so that an instance may be used from any thread, process or task.
    """

    def __init__(self, uri: str) -> None:
        self._url = parse_address(uri)
        self._engine = engine_of(self._url)
        with self._errors():
            self._open()

    @property
    def place(self) -> str:
        """Its address without passwords."""
        return shown(self._url)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection for reading; database errors become ConfigurationError."""
        with self._errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction, committed when the block ends without an error; database errors become ConfigurationError."""
        with self._errors(), self._engine.begin() as connection:
            yield connection

    def _open(self) -> None:
        """Make sure that the tables are there, in this code's version, with their triggers."""
        with self._engine.connect() as connection:
            schema = _schema(connection)
            if schema is not None and _sound.get(self._url) == schema and _row_of_version(connection) == LEDGER_VERSION:
                return
            found = _version(connection)
            known = found if found is not None and found <= LEDGER_VERSION else None
            missing = () if known is None else _missing_columns(connection, known)
            lost = () if known is None or missing else missing_triggers(connection, known)
        if missing:
            raise ConfigurationError(
                f"the ledger {self.place}",
                have=f"tables of a development version, without {', '.join(missing)}",
                need="the tables that this release makes",
                remedy="move it away, so that a new one is made, or name another ledger in mlflow.yaml",
            )
        if lost and self._alone(_put_back):
            # An error, once: without the triggers anything may have been changed without a trace.
            raise ConfigurationError(
                f"the ledger {self.place}",
                have=f"triggers that protect its records were gone or changed: {', '.join(lost)}; they are back now",
                need="a ledger whose records nobody could change",
                remedy="find out who removed them, compare the ledger with a copy, then run it again",
            )
        if found is None or found < LEDGER_VERSION:
            found = self._alone(_make_ready)
        if found > LEDGER_VERSION:
            raise ConfigurationError(
                f"the ledger {self.place}",
                have=f"tables of version {found}, made by a newer release or a development version",
                need=f"version {LEDGER_VERSION} or older",
                remedy="install the newer release again, or name another ledger in mlflow.yaml",
            )
        if schema is not None and found == LEDGER_VERSION:
            _sound[self._url] = schema

    def _alone(self, act: Callable[[sa.Connection], int]) -> int:
        """Let `act` change the tables, all or nothing, in one process at a time."""
        if self._engine.dialect.name == "sqlite":
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                # Python's driver begins no transaction before CREATE; closing without COMMIT rolls back.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                done = act(connection)
                connection.exec_driver_sql("COMMIT")
                return done
        with self._engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LEDGER_LOCK)))
            return act(connection)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn database errors into a ConfigurationError that names the ledger, without its password."""
        try:
            yield
        except Damaged as damage:
            have, need = str(damage), "a ledger as this program wrote it"
            raise ConfigurationError(f"the ledger {self.place}", have=have, need=need, remedy=RESTORE) from damage
        except sa.exc.DBAPIError as error:
            stopped = obstacle(error)
            remedy = "check the database, or name another: ledger.uri in mlflow.yaml or TOMORROW_LEDGER_URI"
            if getattr(error.orig, "sqlite_errorcode", None) in DAMAGED_FILE:
                remedy = RESTORE
            said = " ".join(str(error.orig).split())
            raise ConfigurationError(
                f"the ledger {self.place}",
                have=f"{said}: {stopped.have} ({room()})" if stopped else said,
                need=stopped.need if stopped else "a database that can be opened and written to",
                remedy=stopped.remedy if stopped else remedy,
            ) from None


def insert_once(connection: sa.Connection, table: sa.Table, values: dict[str, Any]) -> bool:
    """Insert a row, unless there is one with its key; returns whether it was inserted."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values(values).on_conflict_do_nothing()
    # PostgreSQL's driver keeps the count only on request.
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1


def read_rows(connection: sa.Connection, query: sa.Select[Any], parse: Callable[[sa.Row[Any]], T]) -> tuple[T, ...]:
    """The parsed rows of an ordered query of one table; Damaged names the first that cannot be parsed."""
    try:
        return tuple(parse(row) for row in connection.execute(query))
    except DAMAGE as error:
        raise Damaged(_first_damaged(connection, query, parse)) from error


def _first_damaged(connection: sa.Connection, query: sa.Select[Any], parse: Callable[[sa.Row[Any]], T]) -> str:
    """Which row is the first that cannot be parsed, and why; found by bisection."""
    low, high = 0, connection.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one()
    while low < high - 1:
        middle = (low + high) // 2
        if _damage(connection, query.offset(low).limit(middle - low), parse) is None:
            low = middle
        else:
            high = middle
    said = _damage(connection, query.offset(low).limit(1), parse) or "it cannot be read"
    table = metadata.tables[str(query.get_final_froms()[0])]
    key = [sa.type_coerce(column, sa.Text).label(column.name) for column in table.primary_key.columns]
    row = connection.execute(query.with_only_columns(*key).offset(low).limit(1)).one()
    named = ", ".join(f"{name} {value}" for name, value in row._mapping.items())
    return f"the row of the table {table.name} with {named} is damaged: {said}"


def _damage(connection: sa.Connection, query: sa.Select[Any], parse: Callable[[sa.Row[Any]], T]) -> str | None:
    try:
        for row in connection.execute(query):
            parse(row)
    except DAMAGE as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return None


def _schema(connection: sa.Connection) -> int | None:
    """A number that changes with every change of SQLite's tables and triggers, by anybody; None elsewhere."""
    if connection.dialect.name != "sqlite":
        return None
    return int(connection.exec_driver_sql("PRAGMA schema_version").scalar_one())


def _version(connection: sa.Connection) -> int | None:
    return _row_of_version(connection) if sa.inspect(connection).has_table(ledger_version.name) else None


def _row_of_version(connection: sa.Connection) -> int:
    found = connection.execute(sa.select(ledger_version.c.version)).scalars().all()
    if len(found) != 1 or not isinstance(found[0], int):
        raise Damaged(
            f"the table {ledger_version.name} has {len(found)} rows instead of one"
            if len(found) != 1
            else f"the row of the table {ledger_version.name} says {found[0]!r}, which is no number"
        )
    return found[0]


def _put_back(connection: sa.Connection) -> int:
    """Make the triggers again, unless another process has done so meanwhile; returns how many were missing."""
    found = _row_of_version(connection)
    missing = missing_triggers(connection, found) if found <= LEDGER_VERSION else ()
    if missing:
        for statement in triggers(connection.dialect.name, found):
            connection.exec_driver_sql(statement)
    return len(missing)


def _missing_columns(connection: sa.Connection, version: int) -> tuple[str, ...]:
    """The columns that a version lacks, `table.column`: before the first release, tables changed within a version."""
    look = sa.inspect(connection)
    if not look.has_table(forecasts.name):
        return ()
    found = {
        (table, column["name"])
        for table in metadata.tables
        if look.has_table(table)
        for column in look.get_columns(table)
    }
    wanted = ((table.name, column.name) for table in metadata.sorted_tables for column in table.columns)
    missing = [(table, column) for table, column in wanted if (table, column) not in found]
    return tuple(f"{table}.{column}" for table, column in missing if SINCE.get(column, 1) <= version)


def _make_ready(connection: sa.Connection) -> int:
    """Bring the tables to this release's version, unless another process has done so; returns the version then."""
    found = _version(connection)
    if found is not None and found >= LEDGER_VERSION:
        return found
    from tasks.ledger.migrations import migrate  # imported here: Alembic is only needed for a new or older ledger

    # If another program's table has one of our names, this fails and leaves that table unchanged.
    migrate(connection, found)
    connection.execute(sa.delete(ledger_version))
    connection.execute(sa.insert(ledger_version).values(version=LEDGER_VERSION))
    return LEDGER_VERSION
