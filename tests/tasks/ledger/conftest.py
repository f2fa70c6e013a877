"""Ledgers that are not there yet, on SQLite and on a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.postgres import database_on, postgres_server


@pytest.fixture(scope="module")
def server() -> Iterator[sa.URL]:
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the address of a ledger that is not there yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/state/ledger.db"
        return
    with database_on(request.getfixturevalue("server")) as address:
        yield address
