"""The ledger's tables are made by the baseline migration, once, and are those that the code reads and writes."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from model.errors import ConfigurationError
from tasks.ledger import migrations
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.ledger.schema import LEDGER_VERSION, SINCE, metadata
from tasks.ledger.triggers import KEPT
from tests.postgres import database_on
from tests.project import ROOT
from tests.tasks.ledger.test_forecasts import EXPLANATION, FORECAST


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ledger.db"
        return
    with database_on(request.getfixturevalue("server")) as address:
        yield address


def versions(uri: str) -> list[int]:
    with sa.create_engine(uri, poolclass=sa.NullPool).connect() as connection:
        return list(connection.exec_driver_sql("SELECT version FROM ledger_version").scalars())


def tables(uri: str) -> list[str]:
    with sa.create_engine(uri, poolclass=sa.NullPool).connect() as connection:
        return sorted(sa.inspect(connection).get_table_names())


def test_the_tables_that_the_migrations_make_are_those_of_the_code(uri: str) -> None:
    Ledger(uri)
    with sa.create_engine(uri, poolclass=sa.NullPool).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert tables(uri) == sorted(metadata.tables)


def test_the_newest_script_makes_the_version_of_the_code() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert scripts.get_current_head() == f"{LEDGER_VERSION:04d}"


def test_a_ledger_of_a_newer_release_is_refused(uri: str) -> None:
    Ledger(uri)
    with sa.create_engine(uri, poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.text("UPDATE ledger_version SET version = 99"))
    with pytest.raises(ConfigurationError, match="version 99") as refusal:
        Ledger(uri)
    assert refusal.value.exit_code == 2
    assert versions(uri) == [99]


def test_a_ledger_of_a_development_version_is_refused(uri: str) -> None:
    with sa.create_engine(uri, poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.text("CREATE TABLE ledger_version (version INTEGER)"))
        connection.execute(sa.text(f"INSERT INTO ledger_version VALUES ({LEDGER_VERSION})"))  # noqa: S608 - a number
        kept = [f'"{each.name}" TEXT' for each in metadata.tables["forecasts"].columns if "quantiles" not in each.name]
        connection.execute(sa.text(f"CREATE TABLE forecasts ({', '.join(kept)})"))
    with pytest.raises(ConfigurationError, match="tables of a development version, without") as refusal:
        Ledger(uri)
    assert refusal.value.exit_code == 2
    *_, missing = refusal.value.have.partition("without ")
    assert {"forecasts.quantiles", "forecasts.naive_quantiles", "trials.first"} <= set(missing.split(", "))
    assert not {f"forecasts.{name}" for name in ("model", "version", "forecast")} & set(missing.split(", "))


def test_the_triggers_keep_every_column_but_what_happened() -> None:
    kept = {*KEPT, "observed", "observed_at"}
    assert kept == {each.name for each in metadata.tables["forecasts"].columns}


@pytest.fixture
def first(uri: str) -> str:
    """Give the address of a ledger of version 1, with a forecast from that time."""
    engine = sa.create_engine(uri, poolclass=sa.NullPool)
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        ScriptDirectory(str(Path(migrations.__file__).parent)).get_revision("0001").module.upgrade()
        connection.execute(sa.insert(metadata.tables["ledger_version"]).values(version=1))
        made = {name: value for name, value in asdict(FORECAST).items() if name not in SINCE}
        connection.execute(sa.insert(metadata.tables["forecasts"]).values(made).inline())
    return uri


def test_a_ledger_of_version_1_keeps_its_forecasts_and_gets_explanations_and_what_was_missing(first: str) -> None:
    later = replace(FORECAST, version=4, explanation=EXPLANATION, without="^VIX")
    assert Ledger(first).append(FORECAST) == (FORECAST, False)
    assert Ledger(first).append(later) == (later, True)
    assert Ledger(first).rows() == (FORECAST, later)
    assert versions(first) == [LEDGER_VERSION]
    assert (FORECAST.explanation, FORECAST.without) == (None, None)
    engine = sa.create_engine(first, poolclass=sa.NullPool)
    for change in ({"explanation": None}, {"without": "QQQ"}, {"horizon": 2}):
        with pytest.raises(sa.exc.DBAPIError, match="never changed"), engine.begin() as connection:
            connection.execute(sa.update(metadata.tables["forecasts"]).values(change))


def test_a_session_that_was_the_second_one_and_became_the_next_has_a_row_of_each_in_an_old_ledger_too(
    first: str,
) -> None:
    """FORECAST was recorded before there were horizons: it is of the next session, whatever that was."""
    further = replace(FORECAST, horizon=2)
    assert Ledger(first).append(further) == (further, True)
    assert Ledger(first).append(further) == (further, False)
    assert Ledger(first).append(FORECAST) == (FORECAST, False)
    assert Ledger(first).rows(horizon=None) == (FORECAST, further)
    assert Ledger(first).rows(horizon=2) == (further,)
    assert Ledger(first).rows() == (FORECAST,)
    engine = sa.create_engine(first, poolclass=sa.NullPool)
    with pytest.raises(sa.exc.DBAPIError, match="never removed"), engine.begin() as connection:
        connection.execute(sa.delete(metadata.tables["forecasts"]))


def test_a_trigger_that_a_ledger_of_version_1_has_lost_is_told_before_its_tables_change(first: str) -> None:
    of_a_table = "" if first.startswith("sqlite") else " ON forecasts"
    with sa.create_engine(first, poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql(f"DROP TRIGGER forecasts_stay{of_a_table}")
    with pytest.raises(ConfigurationError, match="gone or changed: forecasts_stay; they are back now"):
        Ledger(first)
    assert versions(first) == [1]
    assert Ledger(first).rows() == (FORECAST,)
    assert versions(first) == [LEDGER_VERSION]


def append(uri: str, version: int) -> tuple[RecordedForecast, bool]:
    return Ledger(uri).append(replace(FORECAST, version=version))


@pytest.mark.slow
def test_processes_that_open_an_empty_database_at_once_make_the_tables_once(uri: str) -> None:
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(abs, range(64)))
        assert all(created for _, created in pool.map(append, [uri] * 8, range(1, 9)))
    assert versions(uri) == [LEDGER_VERSION]
    assert [row.version for row in Ledger(uri).rows()] == list(range(1, 9))


# Opens a ledger, and is killed when it has sent so many statements.
KILLED = """
import os, signal, sys
import sqlalchemy as sa
from tasks.ledger.forecasts import Ledger
left = int(sys.argv[2])
@sa.event.listens_for(sa.Engine, "after_cursor_execute")
def count(connection, cursor, statement, *_):
    global left
    if statement.lstrip().startswith(("CREATE", "INSERT")):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
Ledger(sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("statements", [0, 6])
def test_a_process_that_is_killed_while_it_makes_the_tables_leaves_none(uri: str, statements: int) -> None:
    command = [sys.executable, "-c", KILLED, uri, str(statements)]
    killed = subprocess.run(command, check=False, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert killed.returncode == -signal.SIGKILL
    assert tables(uri) == []
    assert Ledger(uri).append(FORECAST) == (FORECAST, True)


@pytest.mark.slow
def test_an_open_ledger_of_this_version_never_loads_alembic(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/ledger.db"
    Ledger(address)
    look = (
        "import sys; from tasks.ledger.forecasts import Ledger; Ledger(sys.argv[1]); sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", look, address], check=True, cwd=ROOT)


# Opens a ledger of an older version, and is killed when it has sent so many statements that change its tables.
KILLED_UPGRADE = KILLED.replace('("CREATE", "INSERT")', '("CREATE", "INSERT", "ALTER", "DROP", "UPDATE")')


@pytest.mark.slow
@pytest.mark.parametrize("statements", [0, 3, 12, 40])
def test_a_process_that_is_killed_while_it_upgrades_an_old_ledger_leaves_it_as_it_was(
    first: str, statements: int
) -> None:
    command = [sys.executable, "-c", KILLED_UPGRADE, first, str(statements)]
    killed = subprocess.run(command, check=False, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert killed.returncode == -signal.SIGKILL
    assert versions(first) == [1]
    with sa.create_engine(first, poolclass=sa.NullPool).connect() as connection:
        assert not {each["name"] for each in sa.inspect(connection).get_columns("forecasts")} & set(SINCE)
    assert Ledger(first).rows() == (FORECAST,)
    assert versions(first) == [LEDGER_VERSION]
