"""Places that several state directories share: a folder, and a folder in a store that speaks S3."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tasks.settings import Address, Settings
from tasks.settings.schema import LedgerSettings
from tests.facebook import facebook_settings
from tests.postgres import database_on, postgres_server
from tests.s3 import S3Server


@pytest.fixture(scope="module")
def postgres() -> Iterator[sa.URL]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def ledger(postgres: sa.URL) -> Iterator[str]:
    """The address of an empty database for a ledger."""
    with database_on(postgres) as address:
        yield address


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder in S3 with nothing in it, which this process may use."""
    for name, text in s3.variables.items():
        monkeypatch.setenv(name, text)
    return s3.folder()


@pytest.fixture(params=["a folder", pytest.param("S3", marks=pytest.mark.servers)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for prices with nothing in it."""
    return str(request.getfixturevalue("bucket") if request.param == "S3" else tmp_path / "shared")


@pytest.fixture
def here(place: str, ledger: str, tmp_path: Path) -> Settings:
    return sharing(tmp_path / "here", place, ledger)


@pytest.fixture
def elsewhere(place: str, ledger: str, tmp_path: Path) -> Settings:
    """Another state directory with the same ledger and the same place for prices."""
    return sharing(tmp_path / "elsewhere", place, ledger)


def sharing(home: Path, place: str, ledger: str | None = None) -> Settings:
    """A state directory with prices in that place; without an address its ledger is a file of its own."""
    settings = facebook_settings(home, store=place)
    if ledger is None:
        return settings
    return settings.model_copy(update={"ledger": LedgerSettings(uri=Address(ledger))})
