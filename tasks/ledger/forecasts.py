"""The ledger's forecasts: what was forecast, when and by which version, and the actual price.

A row is written once and never removed. It changes once, when the actual price is filled in; the database itself
refuses any other change.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from model.forecaster.explanation import Explanation
from model.forecaster.forecasts import interval_of
from model.market.money import Money
from tasks.ledger.database import LedgerDatabase, insert_once, read_rows
from tasks.ledger.schema import forecasts
from tasks.ledger.standing import standing

KEY = ("model", "version", "as_of", "session", "horizon")
ORDER = ("as_of", "model", "version", "session", "horizon")
TEXTS = ("model", "ticker", "column", "naive_name", "source", "run_id", "fingerprint")
# A median that was computed in another order may differ in its last digits.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedForecast:
    """One forecast as it was made, and the actual price, once known. Prices are not adjusted for later splits.

    model, version:   the registered model and its version; None for the naive distribution, which no version made
    as_of:            the newest session that was known
    session:          the session that is forecast
    horizon:          how many sessions after `as_of` that was, by the calendar of that day
    forecast:         the median of the distribution, where there is one
    quantiles:        the distribution, probability -> price; empty where the version gave none
    intervals:        level in per cent -> lower and upper bound, from the quantiles
    lower, upper:     the interval that should contain the price with probability `level`; all three or none
    naive:            the naive forecast of the same price, by the method `naive_name`
    naives:           every naive forecast by name
    naive_quantiles:  every naive distribution by name, like `quantiles`; without those that had too few prices
    stale:            whether its prices are those of an earlier fetch, since the source was unavailable
    run_id:           the MLflow run that trained the version; empty without a version
    fingerprint:      of the prices it was made from
    made_at:          when it was made
    currency:         of the prices, as Money takes it, such as points of an index; None where they have none
    late:             whether it was made after its session had begun, so that it does not count
    explanation:      what made its distribution wide or narrow; None where it has no such factors
    without:          the other series that its version knows and that were not there; None where it was made with all
    observed:         the actual price, and (observed_at) when it was filled in
    """

    model: str
    version: int | None
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
    naives: Mapping[str, float] = field(hash=False)
    late: bool
    lower: float | None = None
    upper: float | None = None
    level: float | None = None
    observed: float | None = None
    observed_at: datetime | None = None
    currency: str | None = None
    without: str | None = None
    intervals: Mapping[int, tuple[float, float]] = field(default_factory=dict, hash=False)
    quantiles: Mapping[float, float] = field(default_factory=dict, hash=False)
    naive_quantiles: Mapping[str, Mapping[float, float]] = field(default_factory=dict, hash=False)
    explanation: Explanation | None = field(default=None, hash=False)
    horizon: int = 1

    def __post_init__(self) -> None:
        if self.session <= self.as_of or self.horizon < 1:
            raise ValueError(f"session {self.session} is not after {self.as_of}, {self.horizon} sessions ahead")
        for value in self._prices():
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{value} is no price")
        if len({value is None for value in (self.lower, self.upper, self.level)}) > 1:
            raise ValueError("lower, upper and level are given together or not at all")
        if (self.observed is None) != (self.observed_at is None):
            raise ValueError("observed and observed_at are given together or not at all")
        for moment in (self.made_at, self.observed_at):
            if moment is not None and moment.tzinfo is None:
                raise ValueError("a time without a zone")
        for quantiles in (self.quantiles, *self.naive_quantiles.values()):
            _check_distribution(quantiles)
        self._check_against_distribution()

    @property
    def money(self) -> Money:
        """How to write its prices: with the digits that the naive forecast needs."""
        return Money.at(self.currency, self.naive)

    @property
    def named(self) -> str:
        """What made it, for people: `version 3`, or `naive`."""
        return "naive" if self.version is None else f"version {self.version}"

    def _prices(self) -> Iterator[float | None]:
        yield from (self.forecast, self.naive, self.lower, self.upper, self.observed, *self.naives.values())
        for pair in self.intervals.values():
            yield from pair
        for quantiles in (self.quantiles, *self.naive_quantiles.values()):
            yield from quantiles.values()

    def _check_against_distribution(self) -> None:
        """ValueError unless the forecast and its intervals follow from the quantiles."""
        if self.quantiles and not math.isclose(self.quantiles.get(0.5, math.nan), self.forecast, rel_tol=ROUNDING):
            raise ValueError(f"the forecast {self.forecast} is not the median of its distribution")
        for level, bounds in self.intervals.items():
            if _interval(self.quantiles, level) != bounds:
                raise ValueError(f"the {level} % interval is not that of the distribution")
        if self.level is not None and self.intervals.get(round(100 * self.level)) != (self.lower, self.upper):
            raise ValueError(f"lower and upper are not the {100 * self.level:.0f} % interval")


class Ledger:
    """The table of forecasts at `uri`, made where there is none; ConfigurationError where it cannot be used.

    No connection is kept between calls, so that an instance may be used from any thread, process or task.
    """

    def __init__(self, uri: str) -> None:
        self._database = LedgerDatabase(uri)

    def __repr__(self) -> str:
        return f"Ledger({self._database.place})"

    def append(self, forecast: RecordedForecast) -> tuple[RecordedForecast, bool]:
        """Record a forecast; return the row in the ledger, and whether this call made it.

        If there is a row for this version, day, session and horizon already, it is returned unchanged. From one day two
        sessions are forecast as the next one if the first turns out to be a holiday that the calendar did not have.
        """
        ((row, created),) = self.append_all([forecast])
        return row, created

    def append_all(self, made: Sequence[RecordedForecast]) -> tuple[tuple[RecordedForecast, bool], ...]:
        """The same for a forecast of the next session and those of later ones made with it: all are recorded, or none.

        Of each later session the version's first forecast stands: none is added if a verdict on its skill has changed
        since, so that the naive distribution would stand there now, or no longer.
        """
        with self._database.writing() as connection:
            first, is_new = self._append(connection, made[0])
            recorded = [(first, is_new)]
            for row in made[1:]:
                stands = None if is_new else self._stands(connection, first, row)
                recorded.append(self._append(connection, row) if stands is None else (stands, False))
            return tuple(recorded)

    def _append(self, connection: sa.Connection, forecast: RecordedForecast) -> tuple[RecordedForecast, bool]:
        created = insert_once(connection, forecasts, asdict(forecast))
        return self._select(connection, *_is(forecast))[0], created

    def _stands(
        self, connection: sa.Connection, first: RecordedForecast, forecast: RecordedForecast
    ) -> RecordedForecast | None:
        """What stands for a forecast of a later session beside `first`, which was there before."""
        session = (forecasts.c[name] == getattr(forecast, name) for name in KEY if name != "version")
        return standing(first, self._select(connection, *session))

    def fill_in(
        self, observed: Iterable[tuple[RecordedForecast, float]], *, at: datetime
    ) -> tuple[RecordedForecast, ...]:
        """Fill in the actual price for each forecast, not adjusted for splits after it; return all rows then.

        A row that is filled in already stays unchanged.

        at: the time now; ValueError without a zone, or for a price that is not finite
        """
        # Always in the same order, so that two processes cannot wait for each other forever.
        known = sorted(observed, key=lambda pair: [getattr(pair[0], name) or 0 for name in ORDER])
        for _, price in known:
            if not math.isfinite(price) or at.tzinfo is None:
                raise ValueError(f"{price} at {at} is no price at a time with a zone")
        with self._database.writing() as connection:
            for forecast, price in known:
                statement = sa.update(forecasts).where(*_is(forecast), forecasts.c.observed.is_(None))
                connection.execute(statement.values(observed=price, observed_at=at))
            return tuple(row for forecast, _ in known for row in self._select(connection, *_is(forecast)))

    def rows(
        self,
        model: str | None = None,
        *,
        version: int | None = None,
        session: date | None = None,
        horizon: int | None = 1,
    ) -> tuple[RecordedForecast, ...]:
        """Recorded forecasts, oldest first: all, or those of one model, version, forecast session or horizon.

        horizon: those of the next session unless another is given; None for all
        """
        wanted = {"model": model, "version": version, "session": session, "horizon": horizon}
        which = [forecasts.c[name] == value for name, value in wanted.items() if value is not None]
        with self._database.reading() as connection:
            return self._select(connection, *which)

    def unfilled(self, model: str) -> tuple[RecordedForecast, ...]:
        """The forecasts of a model, of every horizon, whose price has not been filled in, oldest first."""
        with self._database.reading() as connection:
            return self._select(connection, forecasts.c.model == model, forecasts.c.observed.is_(None))

    def of_newest_session(self, model: str) -> tuple[RecordedForecast, ...]:
        """A model's forecasts of the newest session that it has forecast as the next one, oldest first."""
        which = forecasts.c.model == model, forecasts.c.horizon == 1
        newest = sa.select(sa.func.max(forecasts.c.session)).where(*which).scalar_subquery()
        with self._database.reading() as connection:
            return self._select(connection, *which, forecasts.c.session == newest)

    def further(self, model: str, as_of: date) -> tuple[RecordedForecast, ...]:
        """A model's forecasts of sessions after the next one that were made as of a day, by version and session."""
        # That a session is later than the day goes without saying; by that the index finds the newest ones.
        newest = forecasts.c.model == model, forecasts.c.session > as_of
        which = *newest, forecasts.c.as_of == as_of, forecasts.c.horizon > 1
        with self._database.reading() as connection:
            return self._select(connection, *which)

    def by_session(
        self,
        model: str | None = None,
        *,
        last: int | None = None,
        skip: int = 0,
        horizons: Collection[int] = (1,),
    ) -> tuple[RecordedForecast, ...]:
        """All forecasts, or a model's, by session, newest last; with `last`, only so many.

        skip:     how many of the newest to leave out
        horizons: so many sessions ahead; those of the next session unless others are given

        The database applies that limit, so that years of forecasts are not read for the newest few.
        """
        columns = (forecasts.c[name] for name in ("session", "as_of", "model", "version", "horizon"))
        ahead = sa.select(forecasts).where(forecasts.c.horizon.in_(sorted(horizons)))
        query = ahead.order_by(*(column.desc() for column in columns)).limit(last).offset(skip)
        with self._database.reading() as connection:
            wanted = query if model is None else query.where(forecasts.c.model == model)
            return read_rows(connection, wanted, _recorded)[::-1]

    def _select(self, connection: sa.Connection, *which: sa.ColumnElement[bool]) -> tuple[RecordedForecast, ...]:
        order = [forecasts.c[name] for name in ORDER]
        return read_rows(connection, sa.select(forecasts).where(*which).order_by(*order), _recorded)


def _is(forecast: RecordedForecast) -> tuple[sa.ColumnElement[bool], ...]:
    return tuple(forecasts.c[name] == getattr(forecast, name) for name in KEY)


def _check_distribution(quantiles: Mapping[float, float]) -> None:
    values = [quantiles[probability] for probability in sorted(quantiles)]
    if values != sorted(values) or not all(0 < probability < 1 for probability in quantiles):
        raise ValueError("quantiles must ascend with their probabilities, which lie between 0 and 1")


def _interval(quantiles: Mapping[float, float], level: int) -> tuple[float, float] | None:
    try:
        return interval_of(quantiles, level)
    except KeyError:
        return None


def _recorded(row: sa.Row[Any]) -> RecordedForecast:
    values = dict(row._mapping)
    texts = [values[name] for name in TEXTS]
    if not all(isinstance(text, str) for text in texts) or not isinstance(values["currency"], str | None):
        raise TypeError("a value is not text")
    if not isinstance(values["version"], int | None) or not isinstance(values["horizon"], int):
        raise TypeError("a version's number or a horizon is not a whole number")
    values["intervals"] = {int(level): (low, high) for level, (low, high) in values["intervals"].items()}
    values["quantiles"] = _by_probability(values["quantiles"])
    values["explanation"] = None if values["explanation"] is None else Explanation(**values["explanation"])
    values["naive_quantiles"] = {name: _by_probability(found) for name, found in values["naive_quantiles"].items()}
    return RecordedForecast(**values)


def _by_probability(quantiles: Mapping[str, float]) -> dict[float, float]:
    """Probabilities as numbers: JSON's keys are text."""
    return {float(probability): price for probability, price in quantiles.items()}
