"""Configurations that were tried are counted once each, for ever: nobody tries again for a luckier start."""

import multiprocessing
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from tasks.ledger.forecasts import Ledger
from tasks.ledger.trials import Trial, Trials
from tests.postgres import database_on

MODEL = "META-Open"
OLDEST, FIRST, LATER = date(2012, 5, 18), date(2015, 3, 2), date(2016, 7, 1)
AT = datetime(2020, 1, 31, 22, 0, tzinfo=UTC)


def tried(uri: str, *configurations: str, model: str = MODEL) -> list[int]:
    """Record configurations, each a family of its own, one after another; the number of each."""
    trials = Trials(uri)
    return [trials.record(model, name, name, OLDEST, FIRST, AT).number for name in configurations]


def test_a_trial_is_found_as_it_was_recorded_and_nothing_else_is(uri: str) -> None:
    trials = Trials(uri)
    assert trials.of(MODEL, "a") is None
    assert trials.record(MODEL, "a", "a", OLDEST, FIRST, AT) == Trial(number=1, oldest=OLDEST, first=FIRST)
    assert trials.of(MODEL, "a") == Trials(uri).of(MODEL, "a") == Trial(number=1, oldest=OLDEST, first=FIRST)
    assert trials.of(MODEL, "b") is None
    assert trials.of("META-Close", "a") is None


def test_each_new_configuration_is_one_more_and_an_old_one_keeps_its_number(uri: str) -> None:
    assert tried(uri, "a", "b", "c", "a", "b", "d") == [1, 2, 3, 1, 2, 4]


def test_other_securities_and_columns_are_counted_by_themselves(uri: str) -> None:
    assert tried(uri, "a", "b") == [1, 2]
    assert tried(uri, "b", "a", model="META-Close") == [1, 2]
    assert tried(uri, "c") == [3]


def test_a_family_counts_once_wherever_its_members_come(uri: str) -> None:
    trials = Trials(uri)
    families = {"tutorial": "presets", "mine": "mine", "anchored": "presets", "another": "another"}
    found = {name: trials.record(MODEL, name, family, OLDEST, FIRST, AT).number for name, family in families.items()}
    assert found == {"tutorial": 1, "mine": 2, "anchored": 1, "another": 3}


def test_the_first_session_of_a_trial_stays_whoever_tries_again_with_another(uri: str) -> None:
    trials = Trials(uri)
    trials.record(MODEL, "a", "a", OLDEST, FIRST, AT)
    assert trials.record(MODEL, "a", "another family", FIRST, LATER, AT) == Trial(number=1, oldest=OLDEST, first=FIRST)
    assert trials.of(MODEL, "a") == Trial(number=1, oldest=OLDEST, first=FIRST)


@pytest.mark.parametrize("statement", ["UPDATE trials SET first = '2019-01-01'", "DELETE FROM trials"])
def test_the_database_itself_refuses_to_change_or_remove_a_trial(uri: str, statement: str) -> None:
    tried(uri, "a", "b")
    with (
        sa.create_engine(uri, poolclass=sa.NullPool).connect() as connection,
        pytest.raises(sa.exc.DBAPIError, match="a recorded trial is never changed or removed"),
    ):
        connection.execute(sa.text(statement))
    assert Trials(uri).of(MODEL, "b") == Trial(number=2, oldest=OLDEST, first=FIRST)


def test_sqlite_cannot_be_made_to_replace_a_trial(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/ledger.db"
    tried(uri, "a")
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("CREATE TEMP TABLE changed AS SELECT * FROM trials")
        connection.execute("UPDATE changed SET first = '2019-01-01', id = 9")
        connection.execute("INSERT OR REPLACE INTO trials SELECT * FROM changed")
    assert Trials(uri).of(MODEL, "a") == Trial(number=1, oldest=OLDEST, first=FIRST)


@pytest.mark.servers
def test_postgresql_cannot_be_made_to_empty_the_table(server: sa.URL) -> None:
    with database_on(server) as address:
        tried(address, "a")
        with (
            sa.create_engine(address, poolclass=sa.NullPool).connect() as connection,
            pytest.raises(sa.exc.DBAPIError, match="never changed"),
        ):
            connection.execute(sa.text("TRUNCATE trials"))
        assert Trials(address).of(MODEL, "a") == Trial(number=1, oldest=OLDEST, first=FIRST)


def test_trials_stand_in_the_ledgers_own_database(uri: str) -> None:
    tried(uri, "a")
    assert Ledger(uri).rows() == ()


def _record(uri: str, name: str) -> Trial:
    return Trials(uri).record(MODEL, name, name, OLDEST, FIRST, AT)


@pytest.mark.slow
def test_processes_that_try_at_once_are_all_counted(uri: str) -> None:
    names = ["a", "b", "c", "d"] * 4
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_record, [uri] * len(names), names))
    assert sorted(tried(uri, "a", "b", "c", "d")) == [1, 2, 3, 4]
