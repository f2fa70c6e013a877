"""A database of another encoding than UTF-8 is told before anything is stored in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from model.errors import ConfigurationError
from tasks.ledger.forecasts import Ledger
from tasks.settings import Settings
from tasks.system.lock import locked
from tasks.tracking.database import ready_database
from tests.postgres import database_on, postgres_server

pytestmark = pytest.mark.servers
USES: dict[str, Callable[[Settings], object]] = {
    "tracking database": ready_database,
    "the ledger": lambda settings: Ledger(settings.ledger_uri),
    "the database": lambda settings: locked(settings, "META-Open", among=settings.ledger_uri).__enter__(),
}


@pytest.fixture(scope="module")
def server() -> Iterator[sa.URL]:
    with postgres_server() as url:
        yield url


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
@pytest.mark.parametrize("use", USES)
def test_a_database_that_is_not_in_utf8_is_refused(server: sa.URL, encoding: str, use: str, tmp_path: Path) -> None:
    with database_on(server, f"ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0") as address:
        with_password = address.replace("tomorrow@", "tomorrow:hidden-word@", 1)
        shared = {"tracking": {"uri": with_password}, "ledger": {"uri": with_password}}
        with pytest.raises(ConfigurationError) as refused:
            USES[use](Settings.model_validate({"home": tmp_path / "var", **shared}))
    name = sa.make_url(address).database
    assert refused.value.exit_code == 2
    assert refused.value.subject.startswith(f"{use} postgresql+psycopg://***@")
    assert refused.value.have == f"the database {name} is in the encoding {encoding}"
    assert "CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0" in refused.value.remedy
    assert "hidden-word" not in str(refused.value)
