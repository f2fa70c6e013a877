"""A new database for MLflow: made whole under the lock that whoever makes one holds, or not there.

A file is made under another name that it sheds when it is complete, so that a process that is killed meanwhile leaves
nothing half-made. On a database server MLflow makes its first tables, changes all of them in one transaction, and then
makes its first experiment: a database that lacks that is finished by whoever comes next.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from model.errors import ConfigurationError
from tasks.settings import Address, Settings, in_folder, sqlite_file
from tasks.system.disk_errors import folder_fault

if TYPE_CHECKING:
    from sqlalchemy import URL


def make_database(url: "URL", settings: Settings) -> None:
    """Make MLflow's database, or what is missing of it; ConfigurationError where that is not allowed."""
    with _quiet("mlflow.store.db.utils", "alembic"):
        if url.get_backend_name() == "sqlite":
            _make_file(url, settings)
        else:
            _make_on_server(url, settings)


def _make_on_server(url: "URL", settings: Settings) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy.exc import SQLAlchemyError

    try:
        store = SqlAlchemyStore(url.render_as_string(hide_password=False), settings.artifact_place)  # type: ignore[no-untyped-call]
        store.engine.dispose()
    except (SQLAlchemyError, MlflowException) as error:
        said = str(getattr(error, "orig", None) or error).strip()
        raise ConfigurationError(
            f"tracking database {Address(url.render_as_string(hide_password=False))}",
            have=f"its tables cannot be made: {said.splitlines()[0] if said else type(error).__name__}",
            need="an empty database that belongs to the user in its address, who makes tables there",
            remedy="give it to that user (ALTER DATABASE name OWNER TO user), or name another under tracking.uri",
        ) from None


def _make_file(url: "URL", settings: Settings) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    file = sqlite_file(str(url.database)).resolve()
    making = file.with_name(f".{file.name}.making")
    try:
        making.unlink(missing_ok=True)
        making.touch()
    except OSError as error:
        remedy = "name another file under tracking.uri in mlflow.yaml"
        subject = f"tracking database {Address(url.render_as_string(hide_password=False))}"
        raise folder_fault(subject, error, remedy) from None
    place = in_folder(Address(f"sqlite:///{making.name}"), making.parent)
    store = SqlAlchemyStore(place.secret, settings.artifact_place)  # type: ignore[no-untyped-call]
    store.engine.dispose()
    making.replace(file)


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Only warnings from these loggers meanwhile."""
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
