"""A place for prices belongs to one ledger: with a second one, each would remove and overwrite what the other needs."""

from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from model.errors import ConfigurationError
from tasks.prices.accepted import accept_days
from tasks.prices.snapshots import SnapshotStore
from tasks.prices.store.owner import check_owner
from tasks.prices.store.place import store_place
from tasks.settings import Address, Settings
from tasks.system.postgresql import identity_of
from tests.facebook import AFTER_CLOSE
from tests.light import market
from tests.postgres import database_on
from tests.tasks.prices.store.conftest import sharing

ROLE = "geheim"


def store(settings: Settings) -> None:
    SnapshotStore(settings).store(market(), at=AFTER_CLOSE)


def fetches(settings: Settings) -> int:
    return len(SnapshotStore(settings).fetches("META"))


def test_a_second_ledger_may_read_and_change_nothing(place: str, tmp_path: Path) -> None:
    first, second = sharing(tmp_path / "first", place), sharing(tmp_path / "second", place)
    store(first)
    with pytest.raises(ConfigurationError, match=f"it belongs to another ledger, sqlite:///{first.home}") as caught:
        store(second)
    assert caught.value.subject == f"prices.store {place}"
    assert f"this one is sqlite:///{second.home}" in caught.value.need
    day = date(2012, 1, 4)
    with pytest.raises(ConfigurationError, match="another ledger"):
        accept_days("META", [day], by="ada", at=AFTER_CLOSE, reason="so", today=AFTER_CLOSE.date(), settings=second)
    with pytest.raises(ConfigurationError, match="another ledger"):
        SnapshotStore(second).remove(str(SnapshotStore(second).files("META")[0]))
    with pytest.raises(ConfigurationError, match="another ledger"):
        check_owner(second)
    assert (fetches(first), fetches(second)) == (1, 1)
    store(first)
    assert fetches(second) == 2


def test_a_place_whose_ledger_is_gone_is_given_to_another_by_removing_one_file(place: str, tmp_path: Path) -> None:
    first, second = sharing(tmp_path / "first", place), sharing(tmp_path / "second", place)
    store(first)
    file = store_place(first, "ledger.json")
    with pytest.raises(ConfigurationError) as caught:
        store(second)
    assert caught.value.remedy.endswith(f"remove {file}")
    file.unlink() if isinstance(file, Path) else file.remove()
    store(second)
    with pytest.raises(ConfigurationError, match="another ledger"):
        store(first)
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(ConfigurationError, match=r"ledger\.json is damaged"):
        store(second)


def test_in_the_state_directory_nobody_is_asked_for_a_ledger(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    store(settings)
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".json"] == []


@pytest.mark.servers
def test_a_database_is_the_same_by_every_address_and_for_every_user(postgres: sa.URL, ledger: str) -> None:
    engine = sa.create_engine(postgres, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE ROLE stranger LOGIN PASSWORD '{ROLE}'"))
    try:
        url = sa.make_url(ledger).set(username="stranger", password=ROLE).render_as_string(hide_password=False)
        assert identity_of(Address(url)) == identity_of(Address(ledger))
        with database_on(postgres) as other:
            assert identity_of(Address(other)) != identity_of(Address(ledger))
        gone = sa.make_url(url).set(database="gone").render_as_string(hide_password=False)
        with pytest.raises(ConfigurationError, match='database "gone" does not exist') as caught:
            identity_of(Address(gone))
        assert ROLE not in str(caught.value)
    finally:
        with engine.connect() as connection:
            connection.execute(sa.text("DROP ROLE stranger"))
