"""Digests of files stand for ever, and a version is what it was registered as."""

import sqlite3
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from tasks.ledger.kept_files import KeptFiles, Trained

RUN, ARTEFACT, OTHER = "runs:/1", "models:/m-1", "models:/m-2"
VERSION = "models:/META-Open/3"
TRAINED = Trained(model="META-Open", run_id="1", key="a key", as_of=date(2020, 1, 31))
MADE = TRAINED.run_id, TRAINED.key
A, B = "a" * 64, "b" * 64


def test_a_file_that_is_written_again_has_each_of_its_digests(uri: str) -> None:
    kept = KeptFiles(uri)
    assert kept.digests(RUN, "config.json") == set()
    for digest in (A, B, A):
        kept.keep(RUN, {"config.json": digest})
    assert KeptFiles(uri).digests(RUN, "config.json") == {A, B}
    assert kept.digests(RUN, "prices.parquet") == kept.digests("runs:/2", "config.json") == set()


def test_a_version_has_the_files_of_what_it_was_registered_as(uri: str) -> None:
    kept = KeptFiles(uri)
    assert not kept.register(VERSION, ARTEFACT, *MADE), "of which nothing is on record"
    kept.package(ARTEFACT, TRAINED, {"MLmodel": A, "code/served.py": B})
    kept.package(OTHER, TRAINED, {"MLmodel": B})
    assert (kept.version(VERSION, ARTEFACT), kept.trained(VERSION, ARTEFACT)) == (None, None)
    assert kept.register(VERSION, ARTEFACT, *MADE) == TRAINED
    assert kept.register(VERSION, ARTEFACT, *MADE) == TRAINED, "again, which changes nothing"
    assert not kept.register(VERSION, OTHER, *MADE)
    assert kept.version(VERSION, ARTEFACT) == {"MLmodel": A, "code/served.py": B}
    assert kept.trained(VERSION, ARTEFACT) == TRAINED
    assert (kept.version(VERSION, OTHER), kept.trained(VERSION, OTHER)) == (None, None)
    assert kept.version("models:/META-Open/4", ARTEFACT) is None
    kept.keep(ARTEFACT, {"code/more.py": A})
    assert kept.version(VERSION, ARTEFACT) is None, "a list of other files is another artefact"


def test_only_the_first_version_of_an_artefact_is_ours_and_only_as_what_was_trained(uri: str) -> None:
    kept = KeptFiles(uri)
    kept.package(ARTEFACT, TRAINED, {"MLmodel": A})
    run_id, key = MADE
    assert not kept.register("models:/OTHER-Open/1", ARTEFACT, run_id, key), "another model's"
    assert not kept.register(VERSION, ARTEFACT, "another run", key)
    assert not kept.register(VERSION, ARTEFACT, run_id, "another key")
    assert kept.register(VERSION, ARTEFACT, run_id, key)
    assert not kept.register("models:/META-Open/4", ARTEFACT, run_id, key), "a second one"
    assert kept.version("models:/META-Open/4", ARTEFACT) is None
    assert kept.register(VERSION, ARTEFACT, run_id, "a key that somebody changed since") == TRAINED


def test_no_row_takes_the_place_of_what_a_version_was_made_of(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/ledger.db"
    KeptFiles(uri).package(ARTEFACT, TRAINED, {"MLmodel": A})
    KeptFiles(uri).register(VERSION, ARTEFACT, *MADE)
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("INSERT OR REPLACE INTO versions VALUES (?, ?)", ("models:/META-Open/4", ARTEFACT))
        connection.execute("INSERT OR REPLACE INTO versions VALUES (?, ?)", (VERSION, OTHER))
        assert connection.execute("SELECT * FROM versions").fetchall() == [(VERSION, ARTEFACT)]


@pytest.mark.parametrize("statement", ["UPDATE kept_files SET digest = 'c'", "DELETE FROM kept_files"])
def test_the_database_itself_refuses_to_change_or_remove_a_digest(uri: str, statement: str) -> None:
    KeptFiles(uri).keep(RUN, {"config.json": A})
    with (
        sa.create_engine(uri, poolclass=sa.NullPool).connect() as connection,
        pytest.raises(sa.exc.DBAPIError, match="a recorded digest is never changed or removed"),
    ):
        connection.exec_driver_sql(statement)
    assert KeptFiles(uri).digests(RUN, "config.json") == {A}
