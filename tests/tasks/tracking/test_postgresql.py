"""MLflow's database on PostgreSQL: made once and whole, whoever else is at it, and told from an older one."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from model.errors import ConfigurationError
from tasks.settings import Settings, TrackingSettings
from tasks.system import durations
from tasks.tracking.client import open_tracking
from tasks.tracking.database import NEWEST, ready_database
from tests.postgres import database_on, postgres_server

pytestmark = pytest.mark.servers
OF_LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"


@pytest.fixture(scope="module")
def server() -> Iterator[sa.URL]:
    with postgres_server() as url:
        yield url


@pytest.fixture
def address(server: sa.URL) -> Iterator[str]:
    with database_on(server) as found:
        yield found


def place(home: Path, address: str) -> Settings:
    return Settings(home=home, tracking=TrackingSettings.model_validate({"uri": address}))


def begin(address: str) -> sa.Engine:
    """Make the first tables, as MLflow does before it changes them into those of today."""
    from mlflow.store.tracking.dbmodels.initial_models import Base

    engine = sa.create_engine(address, poolclass=sa.NullPool)
    Base.metadata.create_all(engine)
    return engine


def experiments(settings: Settings) -> list[str]:
    return [found.name for found in open_tracking(settings).client.search_experiments()]


def test_a_database_that_a_killed_process_left_half_made_is_finished_and_an_older_one_is_refused(
    tmp_path: Path, address: str
) -> None:
    engine, settings = begin(address), place(tmp_path / "var", address)
    ready_database(settings)
    assert experiments(settings) == ["Default"]
    with engine.begin() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() == NEWEST[1]
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '451aebb31d03'"))
    with pytest.raises(ConfigurationError, match=r"a database of an older MLflow \(schema 451aebb31d03\)"):
        ready_database(settings)


def test_a_database_that_another_program_is_making_is_waited_for(tmp_path: Path, address: str) -> None:
    engine, settings = begin(address), place(tmp_path / "var", address)
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as maker, engine.connect() as observer:
            # As long as MLflow's own server changes the tables: it heeds no lock of ours.
            maker.execute(sa.text("ALTER TABLE experiments ADD COLUMN half_made integer"))
            opened = pool.submit(ready_database, settings)
            while not observer.execute(sa.text(OF_LOCKS)).scalar() and not opened.done():
                observer.rollback()
                time.sleep(0.1)
            time.sleep(3 * durations.LOOK)
            assert not opened.done()
            maker.execute(sa.text("ALTER TABLE experiments DROP COLUMN half_made"))
        opened.result()
    assert experiments(settings) == ["Default"]


def test_a_database_in_which_this_user_may_make_no_tables_is_told_to_be_given_to_it(
    tmp_path: Path, server: sa.URL, address: str
) -> None:
    engine = sa.create_engine(server, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE ROLE reader LOGIN"))
    try:
        theirs = sa.make_url(address).set(username="reader").render_as_string(hide_password=False)
        with pytest.raises(ConfigurationError, match="its tables cannot be made: permission denied"):
            ready_database(place(tmp_path / "var", theirs))
    finally:
        with engine.connect() as connection:
            connection.execute(sa.text("DROP ROLE reader"))
