"""A ledger of an older release is brought to this one's tables, and no row of it is touched."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.ledger.schema import LEDGER_VERSION
from tests.postgres import database_on, postgres_server
from tests.project import ROOT

# The tables of version 1, as the release of that version made them.
COLUMNS = """
    model TEXT NOT NULL, version INTEGER NOT NULL, as_of DATE NOT NULL, session DATE NOT NULL, ticker TEXT NOT NULL,
    "column" TEXT NOT NULL, forecast {double} NOT NULL, lower {double}, upper {double}, level {double},
    naive {double} NOT NULL, naive_name TEXT NOT NULL, source TEXT NOT NULL, stale BOOLEAN NOT NULL,
    run_id TEXT NOT NULL, fingerprint TEXT NOT NULL, made_at {moment} NOT NULL, observed {double},
    observed_at {moment}, PRIMARY KEY (model, version, as_of)"""
SQLITE_1 = [
    f"CREATE TABLE forecasts ({COLUMNS.format(double='DOUBLE', moment='DATETIME')}) WITHOUT ROWID",
    "CREATE INDEX forecasts_of_a_session ON forecasts (model, session)",
    """CREATE TRIGGER forecasts_stand BEFORE UPDATE ON forecasts
    WHEN OLD.observed IS NOT NULL OR NEW.observed IS NULL OR NEW.observed_at IS NULL
      OR NOT (OLD."model" IS NEW."model" AND OLD."version" IS NEW."version" AND OLD."as_of" IS NEW."as_of"
      AND OLD."session" IS NEW."session" AND OLD."ticker" IS NEW."ticker" AND OLD."column" IS NEW."column"
      AND OLD."forecast" IS NEW."forecast" AND OLD."lower" IS NEW."lower" AND OLD."upper" IS NEW."upper"
      AND OLD."level" IS NEW."level" AND OLD."naive" IS NEW."naive" AND OLD."naive_name" IS NEW."naive_name"
      AND OLD."source" IS NEW."source" AND OLD."stale" IS NEW."stale" AND OLD."run_id" IS NEW."run_id"
      AND OLD."fingerprint" IS NEW."fingerprint" AND OLD."made_at" IS NEW."made_at")
    BEGIN SELECT RAISE(ABORT, 'a recorded forecast is never changed'); END""",
    """CREATE TRIGGER forecasts_stay BEFORE DELETE ON forecasts
    BEGIN SELECT RAISE(ABORT, 'a recorded forecast is never removed'); END""",
    """CREATE TRIGGER forecasts_once BEFORE INSERT ON forecasts
    WHEN EXISTS (SELECT * FROM forecasts WHERE model = NEW.model AND version = NEW.version AND as_of = NEW.as_of)
    BEGIN SELECT RAISE(IGNORE); END""",
]
POSTGRESQL_1 = [
    f"CREATE TABLE forecasts ({COLUMNS.format(double='DOUBLE PRECISION', moment='TIMESTAMP WITH TIME ZONE')})",
    "CREATE INDEX forecasts_of_a_session ON forecasts (model, session)",
    """CREATE FUNCTION forecasts_stand() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'a recorded forecast is never removed';
      END IF;
      IF OLD.observed IS NOT NULL OR NEW.observed IS NULL OR NEW.observed_at IS NULL
         OR to_jsonb(OLD) - 'observed' - 'observed_at' IS DISTINCT FROM to_jsonb(NEW) - 'observed' - 'observed_at' THEN
        RAISE EXCEPTION 'a recorded forecast is never changed';
      END IF;
      RETURN NEW;
    END $$""",
    """CREATE TRIGGER forecasts_stand BEFORE UPDATE OR DELETE ON forecasts
    FOR EACH ROW EXECUTE FUNCTION forecasts_stand()""",
    """CREATE TRIGGER forecasts_stay BEFORE TRUNCATE ON forecasts
    FOR EACH STATEMENT EXECUTE FUNCTION forecasts_stand()""",
]
VERSION_1 = ["CREATE TABLE ledger_version (version INTEGER NOT NULL)", "INSERT INTO ledger_version VALUES (1)"]
INSERT = """INSERT INTO forecasts VALUES (
    'META-Open', {version}, '2019-12-31', '2020-01-02', 'META', 'Open', 206.10000000000002, {interval},
    204.00000000000003, 'newest_Close', 'yahoo', {stale}, 'run', 'abab', '2019-12-31 23:00:00.123456{zone}', {came})"""

OLD = RecordedForecast(
    model="META-Open",
    version=1,
    ticker="META",
    column="Open",
    as_of=date(2019, 12, 31),
    session=date(2020, 1, 2),
    forecast=206.10000000000002,
    naive=204.00000000000003,
    naive_name="newest_Close",
    source="yahoo",
    stale=False,
    run_id="run",
    fingerprint="abab",
    made_at=datetime(2019, 12, 31, 23, 0, 0, 123456, tzinfo=UTC),
)
OBSERVED = replace(
    OLD,
    version=2,
    observed=206.75,
    observed_at=datetime(2020, 1, 3, 1, tzinfo=UTC),
    lower=200.5,
    upper=212.0,
    level=0.95,
)


@pytest.fixture(scope="module")
def server() -> Iterator[sa.URL]:
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the address of a ledger of version 1 with two rows, one of them scored."""
    if request.param == "sqlite":
        address = f"sqlite:///{tmp_path}/ledger.db"
        _make_old(address)
        yield address
        return
    with database_on(request.getfixturevalue("server")) as address:
        _make_old(address)
        yield address


def _make_old(address: str) -> None:
    sqlite = address.startswith("sqlite")
    zone = "" if sqlite else "+00"
    rows = (
        INSERT.format(version=1, interval="NULL, NULL, NULL", stale="false", zone=zone, came="NULL, NULL"),
        INSERT.format(
            version=2,
            interval="200.5, 212.0, 0.95",
            stale="false",
            zone=zone,
            came=f"206.75, '2020-01-03 01:00:00.000000{zone}'",
        ),
    )
    with sa.create_engine(address).begin() as connection:
        for statement in (*(SQLITE_1 if sqlite else POSTGRESQL_1), *VERSION_1, *rows):
            connection.exec_driver_sql(statement)


def _raw(address: str) -> list[tuple[Any, ...]]:
    """The old columns of every row, as the database itself gives them."""
    named = (
        "model, version, as_of, session, ticker, forecast, lower, upper, level, naive, made_at, observed, observed_at"
    )
    with sa.create_engine(address).connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(f"SELECT {named} FROM forecasts ORDER BY version")]  # noqa: S608


def _version(address: str) -> int:
    with sa.create_engine(address).connect() as connection:
        return int(connection.exec_driver_sql("SELECT version FROM ledger_version").scalar_one())


def test_every_row_of_an_old_ledger_is_kept_bit_for_bit(old: str) -> None:
    before = _raw(old)
    assert Ledger(old).rows() == (OLD, OBSERVED)
    assert _raw(old) == before
    assert _version(old) == LEDGER_VERSION
    # What was not recorded then is not made up now.
    assert [(row.late, row.intervals, row.naives) for row in Ledger(old).rows()] == [(None, {}, {})] * 2
    assert Ledger(old).rows()[1].known_intervals == {95: (200.5, 212.0)}


def test_a_migrated_ledger_takes_and_guards_what_a_new_one_does(old: str) -> None:
    ledger = Ledger(old)
    new = replace(OLD, version=3, naives={"newest_Close": 204.0}, intervals={80: (203.0, 209.0)}, late=True)
    assert ledger.append(new) == (new, True)
    (scored,) = ledger.fill_in([(OLD, 206.75)], at=new.made_at)
    for statement in (
        "UPDATE forecasts SET late = NULL WHERE version = 3",
        "UPDATE forecasts SET observed = 1",
        "DELETE FROM forecasts",
    ):
        with sa.create_engine(old).connect() as connection, pytest.raises(sa.exc.DBAPIError, match="recorded forecast"):
            connection.execute(sa.text(statement))
    assert ledger.rows() == (scored, OBSERVED, new)


def _shape(address: str) -> dict[str, list[tuple[str, str, bool]]]:
    with sa.create_engine(address).connect() as connection:
        look = sa.inspect(connection)
        return {
            name: [
                *((column["name"], str(column["type"]), bool(column["nullable"])) for column in look.get_columns(name)),
                *((str(index["name"]), str(index["column_names"]), True) for index in look.get_indexes(name)),
            ]
            for name in sorted(look.get_table_names())
        }


def _guards(address: str) -> set[str]:
    where = (
        "sqlite_master WHERE type = 'trigger'" if address.startswith("sqlite") else "pg_trigger WHERE NOT tgisinternal"
    )
    name = "name" if address.startswith("sqlite") else "tgname"
    with sa.create_engine(address).connect() as connection:
        return set(connection.exec_driver_sql(f"SELECT {name} FROM {where}").scalars())  # noqa: S608


def test_a_migrated_ledger_has_the_tables_of_a_new_one(
    old: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    Ledger(old)
    if old.startswith("sqlite"):
        new = f"sqlite:///{tmp_path}/new.db"
        Ledger(new)
        assert (_shape(old), _guards(old)) == (_shape(new), _guards(new))
        return
    with database_on(request.getfixturevalue("server")) as new:
        Ledger(new)
        assert (_shape(old), _guards(old)) == (_shape(new), _guards(new))


def _rows(uri: str) -> tuple[RecordedForecast, ...]:
    return Ledger(uri).rows()


@pytest.mark.slow
def test_eight_processes_that_open_an_old_ledger_at_once_migrate_it_once(old: str) -> None:
    with ProcessPoolExecutor(8, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(abs, range(64)))
        assert list(pool.map(_rows, [old] * 8)) == [(OLD, OBSERVED)] * 8
    assert _version(old) == LEDGER_VERSION


# Opens a ledger, and is killed when it has sent so many statements.
KILLED = """
import os, signal, sys
import sqlalchemy as sa
from tasks.ledger.forecasts import Ledger
left = int(sys.argv[2])
@sa.event.listens_for(sa.Engine, "after_cursor_execute")
def count(connection, cursor, statement, *_):
    global left
    if statement.lstrip().startswith(("ALTER", "CREATE", "DROP", "UPDATE")):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
Ledger(sys.argv[1])
"""


@pytest.mark.parametrize("statements", [0, 4, 10])
def test_a_migration_that_is_killed_leaves_the_old_ledger(old: str, statements: int) -> None:
    before = _raw(old), _shape(old), _guards(old)
    command = [sys.executable, "-c", KILLED, old, str(statements)]
    root = ROOT
    killed = subprocess.run(command, check=False, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    assert killed.returncode == -signal.SIGKILL
    assert (_raw(old), _shape(old), _guards(old)) == before
    assert _version(old) == 1
    assert Ledger(old).rows() == (OLD, OBSERVED)


def test_an_open_ledger_of_this_version_never_loads_alembic(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/ledger.db"
    Ledger(address)
    look = (
        "import sys; from tasks.ledger.forecasts import Ledger; Ledger(sys.argv[1]); sys.exit('alembic' in sys.modules)"
    )
    root = ROOT
    subprocess.run([sys.executable, "-c", look, address], check=True, cwd=root)
