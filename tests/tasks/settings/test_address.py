"""Addresses: what is secret in them is shown nowhere, and a path may hold whatever a folder's name may."""

import json
import pickle
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import BaseModel

from model.errors import ConfigurationError, masked
from tasks.settings import Address, in_folder, sqlite_file

PW = "hunter2"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"http://user:{PW}@host:5000/x", "http://***@host:5000/x"),
        (f"https://{PW}@host", "https://***@host"),
        (f"http://user:a/b@{PW}'#?@host/x", "http://***@host/x"),
        (
            f"postgresql+psycopg://me:{PW}@/db?host=/run&password={PW}&sslmode=require&sslpassword={PW}&odd={PW}",
            "postgresql+psycopg://***@/db?host=/run&password=***&sslmode=require&sslpassword=***&odd=***",
        ),
        (f"https://hooks/x?{PW}", "https://hooks/x?***"),
        (f"postgresql://h/db?password=a#{PW};,'{PW}&sslmode=require", "postgresql://h/db?password=***&sslmode=require"),
        (f"could not connect: password=a,{PW};'{PW} host=db", "could not connect: password=*** host=db"),
        (
            f"asking http://u:{PW}@a/x and http://b/?token={PW} failed",
            "asking http://***@a/x and http://b/?token=*** failed",
        ),
        (f"connection failed: password={PW} host=db", "connection failed: password=*** host=db"),
        (f"{{'password': '{PW} and more', 'user': 'me'}}", "{'password': ***, 'user': 'me'}"),
        (f"MLFLOW_TRACKING_TOKEN={PW}", "MLFLOW_TRACKING_TOKEN=***"),
        (f"{{'Authorization': 'Basic {PW}'}}", "{'Authorization': '***'}"),
    ],
)
def test_whatever_may_be_a_secret_is_masked_in_a_text(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert masked(f"{shown}: {shown}") == f"{shown}: {shown}"


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:5000/#/experiments/1/runs/abc?workflowType=machine_learning",
        "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE",
        "--set KEY=VALUE: no token in it: see me@example.org",
        "sqlite+pysqlite:///file:/a%3Fb/ledger.db?uri=true",
        "postgresql+psycopg://host/db?sslmode=require",
        "sqlite:////data/me@work/var/mlflow.db and file:///data/me@work/var",
    ],
)
def test_all_else_stays_as_it_is(text: str) -> None:
    assert masked(text) == text


def test_an_error_shows_no_password_whatever_it_is_made_of() -> None:
    place = f"http://user:{PW}@host"
    error = ConfigurationError(place, have=place, need=place, remedy=place, places=[place], place=place)
    assert PW not in str(error)
    assert PW not in repr(error)
    assert PW not in json.dumps(error.as_json())
    assert "host" in error.subject
    assert PW not in repr(pickle.loads(pickle.dumps(error)))  # noqa: S301 - our own


class Place(BaseModel):
    """What holds an address."""

    uri: Address


def test_an_address_is_whole_for_whoever_connects_and_masked_for_whoever_looks() -> None:
    place = Place(uri=Address(f"http://us%40er:{PW}@host:5000/x"))
    again = pickle.loads(pickle.dumps(place))  # noqa: S301 - our own
    for uri in (place.uri, again.uri, Address(place.uri), Place(uri=place.uri).uri):
        assert uri.secret == f"http://us%40er:{PW}@host:5000/x"
        assert type(uri.secret) is str
        assert (uri.bare, uri.credentials) == ("http://host:5000/x", ("us@er", PW))
    shown = (f"{place.uri}", f"{place.uri!r}", "%s" % place.uri, "{:>9}".format(place.uri), repr(place), str(place))  # noqa: UP031, UP032 - each way to show it
    assert [text for text in (*shown, place.model_dump_json(), str(place.model_dump())) if PW in text] == []
    assert place.model_dump(mode="json") == {"uri": "http://***@host:5000/x"}


@pytest.mark.parametrize("name", ["plain", "two words", "50%", "100%25", "what?", "a#b", "?mode=memory", "é"])
def test_sqlite_opens_the_file_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    uri = in_folder(Address("sqlite:///x.db?timeout=3"), folder)
    assert uri.file == folder / "x.db"
    engine = sa.create_engine(uri.secret, poolclass=sa.NullPool)
    assert sqlite_file(str(engine.url.database)) == folder / "x.db"
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE made (here TEXT)")
    assert [file.relative_to(tmp_path) for file in tmp_path.rglob("*.db*")] == [Path(name, "x.db")]


def test_other_addresses_are_not_changed(tmp_path: Path) -> None:
    for text in ("http://host/a", "postgresql://host/db?sslmode=require", "sqlite:////data/x.db", "sqlite:///:memory:"):
        assert in_folder(Address(text), tmp_path).secret == text
    assert Address("http://host").file is None
