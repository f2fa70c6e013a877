"""The lock in a PostgreSQL database keeps all apart who share it, and goes when its holder does."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from model.errors import ConfigurationError
from tasks.settings import Settings
from tasks.settings.schema import LedgerSettings
from tasks.system.lock import locked, queued
from tasks.system.locks.in_database import key_of
from tests.postgres import database_on, postgres_server
from tests.project import ROOT
from tests.tasks.system.test_lock import order_of_two_threads

pytestmark = pytest.mark.servers
SINCE = datetime(2020, 2, 3, 22, 15, tzinfo=UTC)
# What is free again may be looked at for so long after its holder was killed.
SOON = 5.0
HOLDER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from tasks.system.lock import queued
from tasks.settings import Settings
settings = Settings.model_validate({"home": Path(sys.argv[1]), "ledger": {"uri": sys.argv[2]}})
with queued(settings, "META-Open", datetime(2020, 2, 3, 22, 15, tzinfo=UTC), print, among=settings.ledger_uri):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def ledger() -> Iterator[str]:
    """The address of an empty database."""
    with postgres_server() as server, database_on(server) as address:
        yield address


@pytest.fixture
def here(tmp_path: Path, ledger: str) -> Settings:
    return Settings(home=tmp_path / "here", ledger=LedgerSettings.model_validate({"uri": ledger}))


@contextmanager
def held_elsewhere(home: Path, ledger: str) -> Iterator["subprocess.Popen[str]"]:
    """Another process, on a state directory of its own, that holds the lock META-Open."""
    command = [sys.executable, "-c", HOLDER, str(home), ledger]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.kill()


def test_whoever_shares_the_database_waits_on_any_state_directory_until_the_holder_is_killed(
    here: Settings, ledger: str, tmp_path: Path
) -> None:
    with held_elsewhere(tmp_path / "elsewhere", ledger) as holder:
        with (
            pytest.raises(ConfigurationError, match=f"process {holder.pid} on .* holds it") as refused,
            locked(here, "META-Open", 0, among=here.ledger_uri),
        ):
            pass
        assert refused.value.exit_code == 2
        with locked(here, "META-Close", 0, among=here.ledger_uri), locked(here, "META-Open", 0):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        with locked(here, "META-Open", SOON, among=here.ledger_uri):
            pass


def test_who_waits_is_told_for_whom(here: Settings, ledger: str, tmp_path: Path) -> None:
    said: list[object] = []
    with held_elsewhere(tmp_path / "elsewhere", ledger) as holder:

        def end_it(sentence: str) -> None:
            said.append(sentence)
            holder.kill()

        with queued(here, "META-Open", SINCE, end_it, among=here.ledger_uri):
            pass
        (sentence,) = said
        assert str(sentence).startswith(f"waiting for process {holder.pid} on ")
        assert str(sentence).endswith(", since 2020-02-03 22:15 UTC, which holds the lock 'META-Open'")


def test_the_holder_may_take_it_again_and_another_thread_waits(here: Settings) -> None:
    assert order_of_two_threads(here, here.ledger_uri) == ["first", "second"]
    with locked(here, "META-Open", 0, among=here.ledger_uri):
        pass


def test_a_lock_whose_connection_broke_is_not_taken_again(here: Settings, ledger: str) -> None:
    """Whoever takes it again within is about to change something, which others may have changed meanwhile."""
    ended = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
    with locked(here, "META-Open", among=here.ledger_uri):
        with sa.create_engine(ledger, poolclass=sa.NullPool).connect() as connection:
            assert connection.execute(sa.text(ended)).scalars().all() == [True]
        with (
            pytest.raises(ConfigurationError, match="the connection that held it has broken"),
            locked(here, "META-Open", among=here.ledger_uri),
        ):
            pass
    with locked(here, "META-Open", 0, among=here.ledger_uri):
        pass


def test_a_database_that_cannot_be_reached_is_named_without_its_password(here: Settings) -> None:
    nowhere = LedgerSettings.model_validate({"uri": "postgresql+psycopg://me:hidden-word@127.0.0.1:1/ledger"})
    away = here.model_copy(update={"ledger": nowhere})
    with pytest.raises(ConfigurationError) as refused, locked(away, "META-Open", 0, among=away.ledger_uri):
        pass
    assert "postgresql+psycopg://***@127.0.0.1:1/ledger" in refused.value.subject
    assert "hidden-word" not in str(refused.value)


def test_a_ledger_in_a_file_is_guarded_in_the_state_directory(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "var")
    with locked(settings, "META-Open", among=settings.ledger_uri):
        assert (settings.home / "locks" / "META-Open.lock").exists()


def test_a_lock_has_one_number_whoever_computes_it() -> None:
    """Releases of this program that differ in it would not keep each other apart."""
    assert key_of("registry-META-Open") == 6163326921121036598
