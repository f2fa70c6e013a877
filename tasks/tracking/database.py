"""Checks MLflow's database before it is used, and makes it where there is none.

MLflow itself would migrate an older database without asking, and two processes that make a new one at once would break
it. Here a database of another version is refused. A new SQLite file is made under a lock, under a temporary name, and
renamed when it is complete, so that a killed process leaves no incomplete database.
"""

import logging
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import ConfigurationError, TomorrowError
from tasks.settings import Address, Settings, in_folder, sqlite_file
from tasks.system.disk_errors import folder_fault
from tasks.system.lock import locked
from tasks.system.state_directory import state_directory

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
    try:
        if _is_there(url):
            return
    except ConfigurationError:
        # A database on a server may look unusable while another process makes its tables. An SQLite file cannot, since
        # it gets its name when it is complete; and on a read-only disk no lock can be taken.
        if url.get_backend_name() == "sqlite":
            raise
    with locked(settings, "database"):
        if not _is_there(url):
            _make(url, settings)


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
    tables, revision = _contents(url)
    if "experiments" in tables:
        _check_version(url, revision)
        return True
    # On a database server the ledger may share the database, which does no harm.
    if "alembic_version" in tables or (tables and url.get_backend_name() == "sqlite"):
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


def _contents(url: "URL") -> tuple[set[str], str | None]:
    """The names of the tables, and the schema's revision as Alembic noted it; None without one."""
    from sqlalchemy import create_engine, inspect, text
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    try:
        with create_engine(url, poolclass=NullPool).connect() as connection:
            tables = set(inspect(connection).get_table_names())
            if "alembic_version" not in tables:
                return tables, None
            return tables, connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
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


def _make(url: "URL", settings: Settings) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with _quiet("mlflow.store.db.utils", "alembic"):
        if url.get_backend_name() != "sqlite":
            SqlAlchemyStore(url.render_as_string(hide_password=False), settings.artifact_place)  # type: ignore[no-untyped-call]
            return
        file = sqlite_file(str(url.database)).resolve()
        making = file.with_name(f".{file.name}.making")
        try:
            making.unlink(missing_ok=True)
            making.touch()
        except OSError as error:
            remedy = "name another file under tracking.uri in mlflow.yaml"
            raise folder_fault(f"tracking database {_shown(url)}", error, remedy) from None
        place = in_folder(Address(f"sqlite:///{making.name}"), making.parent)
        store = SqlAlchemyStore(place.secret, settings.artifact_place)  # type: ignore[no-untyped-call]
        store.engine.dispose()
        making.replace(file)


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """In this block, these loggers log warnings and errors alone."""
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _shown(url: "URL") -> Address:
    return Address(url.render_as_string(hide_password=False))


def _refusal(url: "URL", *, have: str, need: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(
        f"tracking database {_shown(url)}",
        have=have,
        need=need,
        remedy=remedy,
    )
