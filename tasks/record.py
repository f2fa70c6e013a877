"""The ledger: what was forecast, when and by which version, and what happened.

A row is written once. It is never changed or removed, except that what happened is filled in, once; the database
itself refuses anything else. SQLite in the state directory by default, PostgreSQL by its address.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from model.errors import ConfigurationError
from tasks.ledger_schema import LEDGER_LOCK, LEDGER_VERSION, forecasts, ledger_version, metadata

# One row a day and short transactions: whoever has to wait that long waits for something that hangs.
PATIENCE_SECONDS = 30
KEY = ("model", "version", "as_of")
DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedForecast:
    """One forecast as it was made, and what happened where that is known. Prices are in dollars.

    model, version:   the registered model and its version
    as_of:            the newest session that was known
    session:          the session that is forecast
    lower, upper:     the interval that should hold the price with probability `level`; all three or none
    naive:            the naive forecast of the same price, by the method `naive_name`
    stale:            whether its prices are an earlier fetch's, since the source was not to be had
    run_id:           the MLflow run that trained the version
    fingerprint:      of the prices it was made from
    made_at:          when it was made
    observed:         the price that came, and when it was filled in
    """

    model: str
    version: int
    ticker: str
    column: str
    as_of: date
    session: date
    forecast: float
    naive: float
    naive_name: str
    source: str
    stale: bool
    run_id: str
    fingerprint: str
    made_at: datetime
    lower: float | None = None
    upper: float | None = None
    level: float | None = None
    observed: float | None = None
    observed_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.session <= self.as_of:
            raise ValueError(f"session {self.session} is not after {self.as_of}")
        for value in (self.forecast, self.naive, self.lower, self.upper, self.observed):
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{value} is no price")
        if len({value is None for value in (self.lower, self.upper, self.level)}) > 1:
            raise ValueError("lower, upper and level stand together or not at all")
        if (self.observed is None) != (self.observed_at is None):
            raise ValueError("observed and observed_at stand together or not at all")
        for moment in (self.made_at, self.observed_at):
            if moment is not None and moment.tzinfo is None:
                raise ValueError("a time without a zone")


class Ledger:
    """The table of forecasts at `uri`, made when it is not there; ConfigurationError when it cannot be had.

    No connection is kept between calls, so that an instance may be used from any thread, process or task.
    """

    def __init__(self, uri: str) -> None:
        self._url = _url(uri)
        self._engine = _engine(self._url)
        with self._errors():
            self._open()

    def __repr__(self) -> str:
        return f"Ledger({self.place})"

    @property
    def place(self) -> str:
        """Its address without the password."""
        return self._url.render_as_string(hide_password=True)

    def append(self, forecast: RecordedForecast) -> tuple[RecordedForecast, bool]:
        """Record a forecast; the row that stands, and whether this call made it.

        Where the version has already forecast as of that session, that row stands, whatever is in this one.
        """
        insert = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        statement = insert(forecasts).values(asdict(forecast)).on_conflict_do_nothing(index_elements=KEY)
        with self._errors(), self._engine.begin() as connection:
            # PostgreSQL's driver keeps the count only where it is asked to.
            created = connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1
            row = connection.execute(
                sa.select(forecasts).where(*(forecasts.c[name] == getattr(forecast, name) for name in KEY))
            ).one()
            return _recorded(row), created

    def fill_in(self, model: str, session: date, *, observed: float, at: datetime) -> tuple[RecordedForecast, ...]:
        """Fill in the price that came in `session`, where none is yet; every row of the model for that session.

        A row in which something is filled in already stays as it is, whatever is said now.
        """
        if not math.isfinite(observed) or at.tzinfo is None:
            raise ValueError(f"{observed} at {at} is no price at a time with a zone")
        which = (forecasts.c.model == model, forecasts.c.session == session)
        statement = sa.update(forecasts).where(*which, forecasts.c.observed.is_(None))
        with self._errors(), self._engine.begin() as connection:
            connection.execute(statement.values(observed=observed, observed_at=at))
            return self._select(connection, *which)

    def rows(
        self, model: str | None = None, *, version: int | None = None, session: date | None = None
    ) -> tuple[RecordedForecast, ...]:
        """Give what is recorded, oldest first: all of it, or of one model, version or session that is forecast."""
        wanted = {"model": model, "version": version, "session": session}
        which = [forecasts.c[name] == value for name, value in wanted.items() if value is not None]
        with self._errors(), self._engine.connect() as connection:
            return self._select(connection, *which)

    def _select(self, connection: sa.Connection, *which: sa.ColumnElement[bool]) -> tuple[RecordedForecast, ...]:
        order = (forecasts.c.as_of, forecasts.c.model, forecasts.c.version)
        return tuple(_recorded(row) for row in connection.execute(sa.select(forecasts).where(*which).order_by(*order)))

    def _open(self) -> None:
        """See that the tables are there, and of a version that this code knows."""
        with self._engine.connect() as connection:
            found = self._version(connection)
        if found is None:
            found = self._create()
        if found > LEDGER_VERSION:
            raise ConfigurationError(
                f"the ledger {self.place}",
                have=f"tables of version {found}, made by a newer release",
                need=f"version {LEDGER_VERSION} or older",
                remedy="install the newer release again, or name another ledger in mlflow.yaml",
            )

    def _version(self, connection: sa.Connection) -> int | None:
        if not sa.inspect(connection).has_table(ledger_version.name):
            return None
        version: int = connection.execute(sa.select(ledger_version.c.version)).scalar_one()
        return version

    def _create(self) -> int:
        """Make the tables, all or none; whoever comes second finds them made."""
        if self._engine.dialect.name == "sqlite":
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                # Python's driver begins no transaction before CREATE; closing without COMMIT rolls back.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                found = self._create_within(connection)
                connection.exec_driver_sql("COMMIT")
                return found
        with self._engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LEDGER_LOCK)))
            return self._create_within(connection)

    def _create_within(self, connection: sa.Connection) -> int:
        found = self._version(connection)
        if found is None:
            # A table of that name which is not ours is an error, not ours to use.
            metadata.create_all(connection, checkfirst=False)
            connection.execute(sa.insert(ledger_version).values(version=LEDGER_VERSION))
        return LEDGER_VERSION if found is None else found

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what the database says into an error that names the ledger, and no password."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise ConfigurationError(
                f"the ledger {self.place}",
                have=" ".join(str(error.orig).split()),
                need="a database that can be opened and written",
                remedy="see to the database, or name another: ledger.uri in mlflow.yaml or TOMORROW_LEDGER_URI",
            ) from None


def _recorded(row: sa.Row[Any]) -> RecordedForecast:
    return RecordedForecast(**row._mapping)


def _url(uri: str) -> sa.URL:
    try:
        url = sa.make_url(uri)
    except (sa.exc.ArgumentError, ValueError):
        # Not shown: what cannot be taken apart may hold a password anywhere.
        raise _unusable("its address", "an address that cannot be read") from None
    if url.drivername not in DRIVERS:
        raise _unusable(url.render_as_string(hide_password=True), f"a database of kind {url.drivername}")
    if url.drivername.startswith("sqlite") and url.database in (None, "", ":memory:"):
        raise _unusable(url.render_as_string(), "a database in memory, which forgets")
    return url.set(drivername=DRIVERS[url.drivername])


def _unusable(place: str, have: str) -> ConfigurationError:
    return ConfigurationError(
        f"the ledger: {place}",
        have=have,
        need="sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE",
        remedy="correct ledger.uri in mlflow.yaml, or TOMORROW_LEDGER_URI",
    )


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        _make_folder(Path(url.database or ""))
        patience: dict[str, object] = {"timeout": PATIENCE_SECONDS}
    else:
        patience = {"connect_timeout": PATIENCE_SECONDS}
    try:
        return sa.create_engine(url, poolclass=sa.NullPool, connect_args=patience)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the ledger {url.render_as_string(hide_password=True)}",
            have=f"no package {error.name}",
            need="the driver for PostgreSQL",
            remedy="install tomorrow[postgresql]",
        ) from None


def _make_folder(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the ledger {file}",
            have=f"{file.parent}: {error.strerror}",
            need="a folder that can be made and written",
            remedy="set TOMORROW_HOME to a folder of yours, or correct ledger.uri in mlflow.yaml",
        ) from None
