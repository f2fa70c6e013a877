"""Lists the ledger's forecasts, each with the actual price and its score, for people and as CSV."""

import csv
import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TextIO

import numpy as np

from model.artifact.distribution import LEVELS, PROBABILITIES
from model.errors import UsageError
from model.evaluation.distribution import crps
from tasks.forecasts.summary import cone_of, newest_of
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.ledger.totals import Totals
from tasks.registry.stage_history import StageHistory
from tasks.settings import Settings
from tasks.system.disk_errors import storage_fault
from tasks.system.durable_file import write_durably

# An existing file is overwritten only if it begins with these columns: then it is an earlier list.
BEGINNING = ("session", "model", "ticker", "column")
_BEFORE = ("version", "as_of", "made_at", "late", "currency", "forecast")
_AFTER = ("naive", "naive_name", "observed", "observed_at", "error", "crps")
_LAST = ("source", "stale", "run_id", "fingerprint", "without", "horizon")


@dataclass(frozen=True, kw_only=True, eq=False)
class ListedForecast:
    """A forecast of the ledger, and its scores; None where there is no score, or not yet.

    A late forecast has no score, since it was made after its session had opened.
    """

    row: RecordedForecast

    @property
    def _happened(self) -> float | None:
        """The price that the forecast is scored on; None where there is none."""
        return None if self.row.late else self.row.observed

    @property
    def error(self) -> float | None:
        """The actual price minus the forecast."""
        return None if self._happened is None else self._happened - self.row.forecast

    @cached_property
    def crps(self) -> float | None:
        """The CRPS of its distribution, in the unit of the price."""
        return None if self._happened is None else _crps(self._happened, self.row.quantiles)

    @cached_property
    def naive_crps(self) -> dict[str, float | None]:
        """Name of a naive distribution -> its CRPS."""
        happened, made = self._happened, self.row.naive_quantiles
        return {} if happened is None else {name: _crps(happened, found) for name, found in made.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The listed forecasts, by session, newest last; and how many the ledger has in `total`.

    newest:   the newest forecast of the next session of the one model that is listed; None for several
    cone:     those of later sessions that were made with it, the nearest first
    horizons: how many sessions ahead there are forecasts, in what was asked for
    """

    forecasts: tuple[ListedForecast, ...]
    total: int
    newest: ListedForecast | None = None
    cone: tuple[ListedForecast, ...] = ()
    horizons: tuple[int, ...] = (1,)


def list_forecasts(
    settings: Settings, model: str | None, last: int | None, horizons: Collection[int] = (1,)
) -> Listing:
    """The forecasts of all models or of one, or only the `last` ones; UsageError where there are none.

    horizons: so many sessions ahead
    """
    counts = Totals(settings.ledger_uri).by_horizon()
    if not (counts if model is None else counts.get(model)):
        raise _none(settings, model, sorted(counts))
    wanted = counts.values() if model is None else [counts[model]]
    there = sorted({horizon for found in wanted for horizon in found})
    total = sum(count for found in wanted for horizon, count in found.items() if horizon in horizons)
    if not total:
        raise _no_horizon(model, horizons, there)
    ledger = Ledger(settings.ledger_uri)
    rows = ledger.by_session(model, last=last, horizons=horizons)
    newest: RecordedForecast | None = None
    cone: tuple[RecordedForecast, ...] = ()
    if model is not None and there != [1] and (made := ledger.of_newest_session(model)):
        newest = newest_of(made)
        cone = cone_of(newest, ledger.further(model, newest.as_of))
    return Listing(
        forecasts=tuple(ListedForecast(row=row) for row in rows),
        total=total,
        newest=None if newest is None else ListedForecast(row=newest),
        cone=tuple(ListedForecast(row=row) for row in cone),
        horizons=tuple(there),
    )


def write_csv(file: Path, listed: Sequence[ListedForecast]) -> None:
    """Write forecasts as CSV, whole or not at all; UsageError where the file cannot be written.

    Prices are in the currency of their row; times in UTC. An empty version stands for the naive distribution.
    """
    if file.name == "-":
        raise _unwritable(file, "not a file's name; --json prints the forecasts on standard output")
    real = Path(os.path.realpath(file))
    try:
        _check_overwritten(file, real)
        write_durably(real, partial(_write, listed))
    except OSError as error:
        raise storage_fault(error, f"--csv {file}") or _unwritable(file, error.strerror or str(error)) from error


def _none(settings: Settings, model: str | None, others: list[str]) -> UsageError:
    """The error where there is nothing to list: an unknown model, or one without forecasts."""
    if model is None or StageHistory(settings.ledger_uri).count(model):
        subject = "the ledger" if model is None else model
        return UsageError(
            subject, have="no forecasts yet", need="a forecast", remedy="make one: tomorrow predict, or tomorrow up"
        )
    return UsageError(
        f"model {model!r}",
        have="not in the ledger",
        need=f"one of {', '.join(others)}" if others else "a model that has forecast; there is none yet",
        remedy="correct the name" if others else "make a forecast: tomorrow predict",
    )


def _no_horizon(model: str | None, horizons: Collection[int], there: Sequence[int]) -> UsageError:
    """The error where there are forecasts, and none so many sessions ahead."""
    asked = ", ".join(map(str, sorted(horizons)))
    option = f"--preset anchored --horizon {asked.replace(' ', '')}"
    return UsageError(
        "the ledger" if model is None else model,
        have=f"no forecasts {asked} session{'' if asked == '1' else 's'} ahead",
        need=f"a horizon that was forecast: {', '.join(map(str, there))}",
        remedy=f"name it with --horizon, or train a version that forecasts so far ahead: tomorrow train {option}",
    )


def _check_overwritten(file: Path, real: Path) -> None:
    """UsageError where the file exists and is not an earlier list: prices, say, or a device."""
    if not real.exists():
        return
    if not real.is_file():
        raise _unwritable(file, "it is a folder" if real.is_dir() else "it is not a regular file")
    with real.open("rb") as found:
        start = found.read(len(_start()))
    if start and start != _start():
        raise UsageError(
            f"--csv {file}",
            have="the file exists, and is not a list of forecasts",
            need="a new file, or a list that this command has written",
            remedy="name another file, or remove this one",
        )


def _unwritable(file: Path, have: str) -> UsageError:
    need = "a file that can be written, in a folder that is there"
    return UsageError(f"--csv {file}", have=have, need=need, remedy="name another file, or make its folder")


def _start() -> bytes:
    return ",".join(BEGINNING).encode()


def _write(listed: Sequence[ListedForecast], file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        csv_lines(listed, out)


def csv_lines(listed: Sequence[ListedForecast], out: TextIO) -> None:
    """Write forecasts as CSV, with a line of titles; see `write_csv`."""
    rows = [dict(_cells(one)) for one in listed]
    levels = sorted({*LEVELS, *(level for one in listed for level in one.row.intervals)})
    probabilities = sorted({*PROBABILITIES, *(each for one in listed for each in one.row.quantiles)})
    columns = (
        *(*BEGINNING, *_BEFORE),
        *(f"{side}_{level}" for level in levels for side in ("lower", "upper")),
        *_AFTER,
        *sorted({name for row in rows for name in row if name.startswith("naive_crps_")}),
        *sorted({name for row in rows for name in row if name.startswith("naive_forecast_")}),
        *(f"quantile_{probability}" for probability in probabilities),
        *(name for name in ("usual_scale", "scale") if any(name in row for row in rows)),
        *sorted({name for row in rows for name in row if name.startswith("factor_")}),
        *_LAST,
    )
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _cells(one: ListedForecast) -> Iterator[tuple[str, object]]:
    """(column, value) of a row; a missing value is an empty cell."""
    row = one.row
    for name in (*BEGINNING, *_BEFORE, *_AFTER, *_LAST):
        value = getattr(one, name) if name in ("error", "crps") else getattr(row, name)
        yield name, _cell(value)
    for level, (lower, upper) in row.intervals.items():
        yield f"lower_{level}", lower
        yield f"upper_{level}", upper
    yield from ((f"quantile_{probability}", price) for probability, price in row.quantiles.items())
    yield from ((f"naive_forecast_{name}", price) for name, price in row.naives.items())
    yield from ((f"naive_crps_{name}", _cell(score)) for name, score in one.naive_crps.items())
    if row.explanation is not None:
        yield from (("usual_scale", row.explanation.usual), ("scale", row.explanation.scale))
        yield from ((f"factor_{name}", value) for name, value in row.explanation.factors.items())


def _cell(value: object) -> object:
    """A time as ISO 8601, a boolean as true or false, None as an empty cell."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else "" if value is None else value


def _crps(happened: float, quantiles: Mapping[float, float]) -> float | None:
    row = np.array([[quantiles.get(probability, math.nan) for probability in PROBABILITIES]])
    score = float(crps(np.array([happened]), row)[0])
    return score if math.isfinite(score) else None
