"""Finds the kind of a file (text, spreadsheet, Parquet; compressed or not) from its content, not from its name."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from model.errors import PricesUnavailable
from tasks.prices.sources.files.tables.sheet import Line, Sheet, faulty
from tasks.prices.sources.files.tables.text import read_text

# More is not daily prices, and would fill the memory.
MOST_BYTES = 2**29
READABLE = (
    "a text file such as CSV, an Excel or OpenDocument spreadsheet, Parquet, or one of them in gz, bz2, xz or zip"
)
# In a folder only files with these endings are read; a file that the user names may have any name.
SUFFIXES = (".csv", ".txt", ".tsv", ".gz", ".bz2", ".xz", ".zip", ".parquet", ".pq", ".xlsx", ".xls", ".xlsb", ".ods")

_PACKED: Mapping[bytes, Callable[[BytesIO], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_STRANGERS = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"\x89HDF": "an HDF5 file",
    b"SQLite format 3": "a database",
    b"ARROW1": "a Feather file",
    b"\x80\x04\x95": "a pickle",
    b"\x80\x05\x95": "a pickle",
}


def read_sheets(file: str) -> tuple[Sheet, ...]:
    """Every table in a file; PricesUnavailable or FaultyPrices where it cannot be read."""
    if "://" in file:
        raise PricesUnavailable(
            file,
            have="an address, not a file",
            need=f"a file on this machine: {READABLE}",
            remedy="download it, and give the file with --prices",
            source="csv",
        )
    raw = _content(Path(file).expanduser())
    if not raw.strip():
        raise faulty(file, have="an empty file", need="a line that names the columns, and a line for each day")
    return tuple(_sheets(file, raw))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        plain = {FileNotFoundError: "no such file", IsADirectoryError: "a folder"}
        raise PricesUnavailable(
            str(path),
            have=plain.get(type(error), error.strerror or str(error)),
            need="a file that can be read",
            remedy="correct the path given with --prices",
            source="csv",
        ) from None


def _sheets(name: str, raw: bytes) -> Iterator[Sheet]:
    """The tables in some content; nested compression is unpacked."""
    for start, kind in _STRANGERS.items():
        if raw.startswith(start):
            raise faulty(name, have=kind, need=READABLE, remedy="save its table as CSV, and give that with --prices")
    packed = next((reader for start, reader in _PACKED.items() if raw.startswith(start)), None)
    if packed is not None:
        yield from _sheets(name, _unpacked(name, packed(BytesIO(raw))))
    elif raw.startswith(b"PAR1"):
        yield _parquet(name, raw)
    elif raw.startswith(_OLD_EXCEL):
        yield from _spreadsheets(name, raw)
    elif raw.startswith(b"PK\x03\x04"):
        yield from _archive(name, raw)
    else:
        yield read_text(name, raw)


def _unpacked(name: str, stream: Any) -> bytes:
    try:
        with stream:
            content: bytes = stream.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, RuntimeError, NotImplementedError) as error:
        locked = "password" in str(error)
        have = "a file that is locked with a password" if locked else f"a packed file that is damaged: {error}"
        raise faulty(name, have=have, need="a whole file", remedy="unpack it, and give what is in it") from None
    if len(content) > MOST_BYTES:
        raise faulty(name, have=f"more than {MOST_BYTES // 2**20} MiB unpacked", need="a file of daily prices")
    return content


def _archive(name: str, raw: bytes) -> Iterator[Sheet]:
    """The tables of a zip file, which may be a spreadsheet."""
    try:
        with zipfile.ZipFile(BytesIO(raw)) as archive:
            names = [each.filename for each in archive.infolist() if not each.is_dir()]
            if "[Content_Types].xml" in names or "mimetype" in names:
                yield from _spreadsheets(name, raw)
                return
            inside = [each for each in names if "__MACOSX" not in each and not Path(each).name.startswith(".")]
            if len(inside) > 1:
                inside = [each for each in inside if each.lower().endswith(SUFFIXES)]
            if not inside:
                raise faulty(name, have="no table in it", need="a zip file with at least one file of prices")
            for member in inside:
                content = _unpacked(f"{name}/{member}", archive.open(member))
                yield from _sheets(name if len(inside) == 1 else f"{name}/{member}", content)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        have = "a file that is locked with a password" if "password" in str(error) else f"a damaged zip file: {error}"
        raise faulty(name, have=have, need="a whole file", remedy="unpack it, and give what is in it") from None


def _spreadsheets(name: str, raw: bytes) -> Iterator[Sheet]:
    """The sheets of a spreadsheet file that are not empty."""
    import python_calamine

    try:
        book = python_calamine.load_workbook(BytesIO(raw))
        tables = {each: book.get_sheet_by_name(each).to_python(skip_empty_area=False) for each in book.sheet_names}
    except python_calamine.CalamineError as error:
        locked = isinstance(error, python_calamine.PasswordError)
        have = "a spreadsheet that is locked with a password" if locked else f"no spreadsheet that can be read: {error}"
        raise faulty(name, have=have, need=READABLE, remedy="save its table as CSV, and give that") from None
    filled = {each: rows for each, rows in tables.items() if rows}
    for each, rows in filled.items():
        yield _from_values(name if len(filled) == 1 else f"{name}/{each}", rows)


def _parquet(name: str, raw: bytes) -> Sheet:
    import pandas as pd
    import pyarrow

    try:
        frame = pd.read_parquet(BytesIO(raw))
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise faulty(name, have=f"no Parquet file that can be read: {first}", need="a whole file") from None
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    levels = range(frame.columns.nlevels)
    heads = [[frame.columns.get_level_values(level)[i] for i in range(frame.shape[1])] for level in levels]
    return _from_values(name, [*heads, *frame.astype(object).where(frame.notna(), None).to_numpy().tolist()])


def _from_values(name: str, rows: Iterable[Iterable[object]]) -> Sheet:
    lines = (Line(number=number, cells=tuple(map(_text, row))) for number, row in enumerate(rows, start=1))
    return Sheet(name=name, lines=tuple(line for line in lines if not line.is_blank))


def _text(value: object) -> str:
    """A value as text, with all its digits."""
    if value is None or value != value:
        return ""
    if isinstance(value, datetime):
        return str(value.date()) if value.time() == datetime.min.time() and not value.tzinfo else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        # With exactly three decimals the point could be taken for a mark between thousands: add a zero.
        whole, point, decimals = (str(int(value)), "", "") if value.is_integer() else repr(value).partition(".")
        return f"{whole}{point}{decimals}{'0' if len(decimals) == 3 else ''}"
    return " ".join(str(value).split())
