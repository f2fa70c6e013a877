"""Digests of files stand for ever, and a version is what it was registered as."""

import pytest
import sqlalchemy as sa

from tasks.ledger.kept_files import KeptFiles

RUN, ARTEFACT, OTHER = "runs:/1", "models:/m-1", "models:/m-2"
VERSION = "models:/META-Open/3"
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
    assert not kept.register(VERSION, ARTEFACT), "of which nothing is on record"
    kept.keep(ARTEFACT, {"MLmodel": A, "code/served.py": B})
    kept.keep(OTHER, {"MLmodel": B})
    assert kept.version(VERSION, ARTEFACT) is None
    assert kept.register(VERSION, ARTEFACT)
    assert kept.register(VERSION, ARTEFACT), "again, which changes nothing"
    assert not kept.register(VERSION, OTHER)
    assert kept.version(VERSION, ARTEFACT) == {"MLmodel": A, "code/served.py": B}
    assert kept.version(VERSION, OTHER) is None
    assert kept.version("models:/META-Open/4", ARTEFACT) is None
    kept.keep(ARTEFACT, {"code/more.py": A})
    assert kept.version(VERSION, ARTEFACT) is None, "a list of other files is another artefact"


@pytest.mark.parametrize("statement", ["UPDATE kept_files SET digest = 'c'", "DELETE FROM kept_files"])
def test_the_database_itself_refuses_to_change_or_remove_a_digest(uri: str, statement: str) -> None:
    KeptFiles(uri).keep(RUN, {"config.json": A})
    with (
        sa.create_engine(uri, poolclass=sa.NullPool).connect() as connection,
        pytest.raises(sa.exc.DBAPIError, match="a recorded digest is never changed or removed"),
    ):
        connection.exec_driver_sql(statement)
    assert KeptFiles(uri).digests(RUN, "config.json") == {A}
