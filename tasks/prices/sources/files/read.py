"""Reads prices from files in any known layout."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from model.errors import FaultyPrices, PricesUnavailable, WrongSecurity
from model.market.prices import Prices
from model.market.security import Security
from tasks.prices.sources.files.join import Joined, join
from tasks.prices.sources.files.layout import find_layouts, parse_columns
from tasks.prices.sources.files.names import PRICES, Role
from tasks.prices.sources.files.rows import DailyRows, read_rows
from tasks.prices.sources.files.tables.container import READABLE, SUFFIXES, read_sheets
from tasks.prices.sources.files.tickers import Part, names_security, part_of, parts

UTC = ZoneInfo("UTC")


def read_files(
    files: Sequence[str],
    security: Security,
    zone: ZoneInfo = UTC,
    columns: Sequence[str] = (),
    date_format: str | None = None,
) -> Prices:
    """The prices of a security from files and folders, joined by day; PricesError names what cannot be read.

    zone:        the exchange's, for files with times in UTC
    columns:     the user's names of columns, such as `close=Price USD`
    date_format: the form of the days, where the user gives it
    """
    named = parse_columns(columns)
    found = [part for file in _unfolded(files, security) for part in _parts(file, security, named)]
    tables = [read_rows(part.sheet, part.layout, part.lines, zone, date_format) for part in found]
    joined = _without_empty_end(join(tables))
    return Prices(
        security=security,
        source="csv",
        origin=", ".join(dict.fromkeys(_shown(part.sheet.name) for part in found)),
        sessions=np.array(joined.days, dtype="datetime64[D]"),
        values=joined.values,
        notes=(*_accounts(tables), *joined.notes),
    )


def _without_empty_end(joined: Joined) -> Joined:
    """The days without the newest one, if that has no price: it was exported before the prices were there."""
    if len(joined.days) < 2 or not np.isnan(joined.values[-1, : len(PRICES)]).all():
        return joined
    said = f"left out, since it holds no price: the newest row, {Path(joined.newest).name}, of {joined.days[-1]}"
    return replace(joined, days=joined.days[:-1], values=joined.values[:-1], notes=(*joined.notes, said))


def tickers_in(file: str) -> tuple[str, ...]:
    """The tickers in a file's tables; none where it names none. PricesError where it cannot be read."""
    found = [part for sheet in read_sheets(file) for part in parts(sheet, find_layouts(sheet, {}))]
    return tuple(dict.fromkeys(part.ticker for part in found if part.ticker is not None))


def files_in(folder: str) -> tuple[str, ...]:
    """The files in a folder that may hold prices, by name; PricesUnavailable where there is none."""
    path = Path(folder)
    there = sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith("."))
    readable = tuple(str(each) for each in there if each.name.lower().endswith(SUFFIXES))
    if not readable:
        raise PricesUnavailable(
            folder,
            have="a folder without any file of prices",
            need=READABLE,
            remedy="correct the path given with --prices",
            source="csv",
        )
    return readable


def _unfolded(files: Sequence[str], security: Security) -> Iterator[str]:
    """The named files; for a folder, the files in it that are named after the security, else those that contain it."""
    for file in files:
        path = Path(file).expanduser()
        if "://" in file or not path.is_dir():
            yield file
            continue
        readable = files_in(str(path))
        own = [each for each in readable if names_security(each, security)]
        yield from own or (each for each in readable if _holds(each, security))


def _holds(file: str, security: Security) -> bool:
    """Whether a file contains a security's prices, with its ticker."""
    try:
        return any(part.ticker is not None for part in _parts(file, security, {}))
    except (FaultyPrices, WrongSecurity):
        return False


def _parts(file: str, security: Security, named: Mapping[Role, str]) -> tuple[Part, ...]:
    """The parts of a file that belong to a security."""
    sheets = read_sheets(file)
    own = [sheet for sheet in sheets if names_security(sheet.name.removeprefix(file), security)]
    found: list[Part] = []
    faults: list[FaultyPrices] = []
    for sheet in own or sheets:
        try:
            found += parts(sheet, find_layouts(sheet, named))
        except FaultyPrices as fault:
            faults.append(fault)
    if not found:
        raise faults[0]
    return part_of(security, found, file)


def _shown(name: str) -> str:
    """A table's name; an absolute one without its folders."""
    return name if not Path(name).is_absolute() else Path(name).name


def _accounts(tables: Sequence[DailyRows]) -> Iterator[str]:
    """Notes on how tables were read and what was left out; tables with the same note share a line."""
    alike: dict[str, list[str]] = {}
    for table in tables:
        for said in (*([f"read as: {table.taken_for}"] if table.taken_for else ()), *table.notes):
            alike.setdefault(said, []).append(Path(table.name).name)
    for said, names in alike.items():
        yield f"{', '.join(dict.fromkeys(names))}: {said}"
