"""Checks MLflow's database before it is used, and makes it where there is none.

MLflow itself would migrate an older database without asking, and two processes that make a new one at once would break
it. Here a database of another version is refused, and a new one is made under a lock. On PostgreSQL that lock is in the
database itself, so that it holds for every machine. new_database.py makes it.
"""

import os
import shlex
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import ConfigurationError, TomorrowError
from tasks.settings import Address, Settings, sqlite_file
from tasks.system import durations
from tasks.system.lock import locked
from tasks.system.postgresql import only_utf8
from tasks.system.state_directory import state_directory
from tasks.tracking.new_database import make_database

if TYPE_CHECKING:
    from sqlalchemy import URL

# The MLflow that we ship with, and the newest revision of its schema: looking that up takes half a second.
NEWEST = ("3.17.2", "dc11669786a5")
# Queries: the models; their versions, each with its newest decision; the models with a version in Production.
REGISTERED = (
    "SELECT name FROM registered_models ORDER BY name",
    "SELECT v.name, v.version, t.value FROM model_versions v LEFT JOIN model_version_tags t "
    "ON t.workspace = v.workspace AND t.name = v.name AND t.version = v.version AND t.key = 'decision' "
    "WHERE v.current_stage <> 'Deleted_Internal' ORDER BY v.name, v.version",
    "SELECT name FROM registered_model_aliases WHERE alias = 'production' "
    "UNION SELECT name FROM model_versions WHERE current_stage = 'Production'",
)
# Queries: where the files of a run and of a logged model are.
LOCATIONS = {
    "runs": "SELECT artifact_uri FROM runs WHERE run_uuid = ?",
    "models": "SELECT artifact_location FROM logged_models WHERE model_id = ? AND lifecycle_stage = 'active'",
}


# The tables that MLflow makes first, in one step, before it migrates them to today's.
FIRST_TABLES = {"experiments", "runs", "tags", "metrics", "params"}
# Whether another session is changing the tables of this PostgreSQL database; no reader takes such a lock.
CHANGING = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' "
    "AND pid <> pg_backend_pid() AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contents:
    """The contents of a database.

    tables:         the names of the tables
    revision:       the schema's revision as Alembic noted it; None without one
    has_experiment: whether there is an experiment: MLflow makes the first one when all tables are there
    is_changing:    whether another session is changing the tables now
    """

    tables: set[str]
    revision: str | None = None
    has_experiment: bool = False
    is_changing: bool = False

    @property
    def is_unfinished(self) -> bool:
        """Whether MLflow's tables are being made, or were left incomplete; False for those of an older MLflow."""
        return (
            self.tables >= FIRST_TABLES
            and not self.has_experiment
            and (self.revision is None or self.revision == NEWEST[1])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What is registered.

    decisions:     model -> version -> its newest decision, in a word; empty where there is none
    in_production: the models with a version in Production, by the alias or by its stage
    """

    decisions: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    in_production: frozenset[str] = frozenset()


def ready_database(settings: Settings) -> None:
    """Make the tracking database if it is new; ConfigurationError where it cannot be used as it is."""
    url = _parse(settings.tracking_uri.secret)
    state_directory(settings)
    if url.get_backend_name() == "sqlite":
        # An SQLite file gets its name when it is complete; and on a read-only disk no lock can be taken.
        if _is_there(url):
            return
    else:
        found = _contents(url)
        # It may look unusable while another process makes its tables: it is checked again under the lock.
        with suppress(ConfigurationError):
            if _is_whole(url, found):
                return
    with locked(settings, "database", among=settings.tracking_uri):
        if url.get_backend_name() == "postgresql":
            _wait_for_others(url)
        if not _is_there(url):
            make_database(url, settings)


def _wait_for_others(url: "URL") -> None:
    """Wait while a program that does not use our lock changes the tables, such as MLflow's server when it starts."""
    deadline = time.monotonic() + durations.LOCK
    while _contents(url).is_changing and time.monotonic() < deadline:
        time.sleep(durations.LOOK)


def read_registered(settings: Settings) -> Registered | None:
    """What is registered, read without MLflow, which takes seconds to import.

    None where a server keeps it, and where the database cannot be read or is of another MLflow; `ready_database` then
    says why.
    """
    if settings.tracking_uri.is_server:
        return None
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    try:
        url = _parse(settings.tracking_uri.secret)
        if not _is_there(url):
            return Registered()
        with create_engine(url, poolclass=NullPool).connect() as connection:
            models, versions, production = (connection.execute(text(query)).all() for query in REGISTERED)
    except (SQLAlchemyError, ModuleNotFoundError, TomorrowError):
        return None
    found: dict[str, dict[int, str]] = {str(name): {} for (name,) in models}
    for name, number, decision in versions:
        found.setdefault(str(name), {})[int(number)] = str(decision or "")
    return Registered(decisions=found, in_production=frozenset(str(name) for (name,) in production))


def read_location(settings: Settings, artefact: str) -> str | None:
    """Where the files of a run or a logged model are, by MLflow's SQLite file; None where that does not say."""
    file, (kind, _, name) = settings.tracking_uri.file, artefact.partition(":/")
    if file is None:
        return None
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute(LOCATIONS[kind], (name,)).fetchone()
    except sqlite3.Error:
        return None
    return None if found is None else str(found[0])


def _parse(uri: str) -> "URL":
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "the tracking database's address",
            have="not a database address",
            need="sqlite:///FILE, or postgresql+psycopg://USER@HOST/DATABASE",
            remedy="correct tracking.uri in mlflow.yaml, or MLFLOW_TRACKING_URI",
        ) from None
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise _refusal(
            url,
            have="a database in memory, which is lost when the command ends",
            need="a file",
            remedy="set tracking.uri in mlflow.yaml to sqlite:///mlflow.db",
        )
    return url


def _is_there(url: "URL") -> bool:
    """Whether the database holds MLflow's tables; False where it is new, ConfigurationError where it is unusable."""
    if url.get_backend_name() == "sqlite":
        file = sqlite_file(str(url.database))
        _check_place(url, file)
        # Opening it would make the file.
        if not file.exists() or (file.is_file() and file.stat().st_size == 0):
            return False
    return _is_whole(url, _contents(url))


def _is_whole(url: "URL", found: _Contents) -> bool:
    if "experiments" in found.tables:
        if url.get_backend_name() != "sqlite" and found.is_unfinished:
            return False
        _check_version(url, found.revision)
        return True
    # On a database server the ledger may share the database, which does no harm.
    if "alembic_version" in found.tables or (found.tables and url.get_backend_name() == "sqlite"):
        raise _refusal(
            url,
            have="a database of another program",
            need="a database of MLflow's own",
            remedy="name another one under tracking.uri in mlflow.yaml",
        )
    return False


def _check_place(url: "URL", file: Path) -> None:
    if file.is_dir():
        have = "a folder"
    elif not file.parent.is_dir():
        have = f"there is no folder {file.parent}"
    elif not os.access(file if file.exists() else file.parent, os.W_OK):
        have = "it cannot be written to"
    else:
        return
    raise _refusal(
        url,
        have=have,
        need="a file that can be created and written to",
        remedy="make its folder writable for this user, or name another file under tracking.uri in mlflow.yaml",
    )


def _contents(url: "URL") -> _Contents:
    """What stands in the database; ConfigurationError where it cannot be looked at."""
    from sqlalchemy import create_engine, inspect, text
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    def first(query: str) -> Any:
        return connection.execute(text(query)).scalar()

    try:
        engine = only_utf8(create_engine(url, poolclass=NullPool), f"tracking database {_shown(url)}")
        with engine.connect() as connection:
            tables = set(inspect(connection).get_table_names())
            if url.get_backend_name() == "postgresql" and first(CHANGING):
                # What is in its tables could be read when they are changed, and no sooner.
                return _Contents(tables=tables, is_changing=True)
            return _Contents(
                tables=tables,
                revision=first("SELECT version_num FROM alembic_version") if "alembic_version" in tables else None,
                has_experiment="experiments" in tables and first("SELECT 1 FROM experiments LIMIT 1") == 1,
            )
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        cause = str(getattr(error, "orig", None) or error).strip()
        raise _refusal(
            url,
            have=f"it cannot be opened: {cause.splitlines()[0] if cause else type(error).__name__}",
            need="a database of MLflow's, or a place for a new one",
            remedy="correct tracking.uri in mlflow.yaml (or MLFLOW_TRACKING_URI), or move the file there away",
        ) from None


def _check_version(url: "URL", revision: str | None) -> None:
    if (version("mlflow"), revision) == NEWEST:
        return  # MLflow itself takes seconds to import
    import mlflow
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    newest = scripts.get_current_head()
    if revision == newest:
        return
    try:
        known = revision is None or scripts.get_revision(revision) is not None
    except CommandError:
        known = False
    if known:
        raise _refusal(
            url,
            have=f"a database of an older MLflow (schema {revision or 'unnamed'})",
            need=f"schema {newest}, of MLflow {mlflow.__version__}",
            remedy=f"make a copy of it, then run: mlflow db upgrade {shlex.quote(url.render_as_string())}",
        )
    raise _refusal(
        url,
        have=f"a database of a newer MLflow (schema {revision}, unknown to MLflow {mlflow.__version__})",
        need=f"schema {newest}, or an MLflow that knows {revision}",
        remedy="upgrade tomorrow to the release that wrote it, or name another database under tracking.uri",
    )


def _shown(url: "URL") -> Address:
    return Address(url.render_as_string(hide_password=False))


def _refusal(url: "URL", *, have: str, need: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(
        f"tracking database {_shown(url)}",
        have=have,
        need=need,
        remedy=remedy,
    )
