"""Prices as one Parquet file: exact when read again, and without pickle."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from model.errors import FaultyPrices
from model.market.prices import COLUMNS, OtherSeries, Prices
from model.market.security import Security

if TYPE_CHECKING:
    import pyarrow as pa

# The key of the file's metadata: JSON with everything that is not a column.
ABOUT = b"tomorrow.prices"


def write_price_file(prices: Prices, file: Path) -> None:
    """Write a column `Date`, one for each of COLUMNS and of other series, and what is no column as metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    days = pa.array(prices.sessions.astype("datetime64[D]"), type=pa.date32())
    others = {} if prices.others is None else prices.others.table()
    values = {name: prices.column(name) for name in COLUMNS} | others
    columns = [pa.array(np.ascontiguousarray(column), type=pa.float64()) for column in values.values()]
    about = {
        "security": asdict(prices.security),
        "source": prices.source,
        "origin": prices.origin,
        "notes": prices.notes,
        "fingerprint": prices.fingerprint,
    }
    if prices.others is not None:
        about["others"] = {"columns": prices.others.columns, "sources": dict(prices.others.sources)}
    # Dates are the only values in it that JSON lacks.
    text = json.dumps(about, default=date.isoformat)
    table = pa.Table.from_arrays([days, *columns], names=["Date", *values])
    pq.write_table(table.replace_schema_metadata({ABOUT: text.encode()}), file)


def read_price_file(file: Path) -> Prices:
    """Read a file of write_price_file; FaultyPrices if it is another file, or was changed since."""
    return read_prices(file.read_bytes, file.name)


def read_prices(read: Callable[[], bytes], name: str) -> Prices:
    """Read the content of a file of write_price_file; FaultyPrices if it is another file, or was changed since.

    read: gives the content; OSError where it cannot be read
    name: the file's, for people
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # On this thread: Arrow's own would live until the process ends, and may abort it then.
        table = pq.ParquetFile(pa.BufferReader(read())).read(use_threads=False)
        about: dict[str, Any] = json.loads((table.schema.metadata or {})[ABOUT])
        prices = Prices(
            security=TypeAdapter(Security).validate_python(about["security"]),
            source=about["source"],
            origin=about["origin"],
            sessions=table["Date"].to_numpy().astype("datetime64[D]"),
            values=np.column_stack([table[name].to_numpy() for name in COLUMNS]).astype(np.float64, copy=False),
            notes=tuple(about["notes"]),
            others=_others(table, about["others"]) if "others" in about else None,
        )
        written = about["fingerprint"]
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise FaultyPrices(
            f"price file {name}",
            have=f"not written by tomorrow, or damaged: {type(error).__name__}: {error}",
            need="a Parquet file of prices as it was written",
            remedy="fetch the prices again",
        ) from error
    check_fingerprint(prices, str(written), f"price file {name}")
    return prices


def _others(table: "pa.Table", about: Mapping[str, Any]) -> OtherSeries:
    columns = tuple(about["columns"])
    values = [table[name].to_numpy() for name in columns]
    return OtherSeries(columns=columns, values=np.column_stack(values).astype(np.float64), sources=about["sources"])


def check_fingerprint(prices: Prices, expected: str, subject: str) -> None:
    """Raise FaultyPrices unless the prices have the fingerprint `expected`."""
    if prices.fingerprint != expected:
        raise FaultyPrices(
            subject,
            have=f"prices with the fingerprint {prices.fingerprint}",
            need=f"the prices with the fingerprint {expected}",
            remedy="they were changed after they were stored: fetch them and train again",
            expected=expected,
            found=prices.fingerprint,
        )
