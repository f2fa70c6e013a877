"""Every layout in docs/your-prices.md is read as the same two sessions, and it is said what was taken for what."""

import bz2
import gzip
import lzma
import re
import zipfile
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from model.errors import FaultyPrices, PricesError, PricesUnavailable, WrongSecurity
from model.market.prices import COLUMNS, Prices
from model.market.security import Security
from tasks.prices.sources.files.read import read_files

DOCS = Path(__file__).parents[5] / "docs" / "your-prices.md"
SAMPLES = dict(re.findall(r"(?ms)^### (.+?)\n\n```csv\n(.*?)```", DOCS.read_text(encoding="utf-8")))
KO, NEW_YORK = Security(ticker="KO"), ZoneInfo("America/New_York")
DAYS = np.array(["2020-01-30", "2020-01-31"], dtype="datetime64[D]")
BARS = np.array([[61.20, 61.95, 60.88, 61.74], [61.70, 62.10, 61.05, 61.33]])
VOLUME = [1204300, 1310250]
PLAIN = SAMPLES["Yahoo's export"]


def read(content: str | bytes, folder: Path, name: str = "some file", **more: object) -> Prices:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_files([str(file)], KO, NEW_YORK, **more)  # type: ignore[arg-type]


def bars(prices: Prices) -> np.ndarray:
    return np.column_stack([prices.column(name) for name in ("Open", "High", "Low", "Close")])


def assert_known(prices: Prices) -> None:
    np.testing.assert_array_equal(prices.sessions, DAYS)
    np.testing.assert_allclose(bars(prices), BARS, rtol=1e-12)
    np.testing.assert_allclose(prices.column("Volume"), VOLUME, rtol=1e-12)


def test_there_are_samples() -> None:
    assert len(SAMPLES) == 28


@pytest.mark.parametrize("layout", SAMPLES)
def test_each_layout_of_the_docs_is_read_and_what_was_taken_for_what_is_said(layout: str, tmp_path: Path) -> None:
    prices = read(SAMPLES[layout], tmp_path)
    assert_known(prices)
    told = [note for note in prices.notes if "read as: " in note]
    assert len(told) == (0 if layout in ("Yahoo's export", "yfinance: history") else 1)
    adjusted = [61.10, 60.69]
    expected = prices.column("Close") if any("no Adj Close" in note for note in prices.notes) else adjusted
    np.testing.assert_allclose(prices.column("Adj Close"), expected)


def test_the_line_names_columns_dates_and_numbers(tmp_path: Path) -> None:
    assert read(SAMPLES["Nasdaq"], tmp_path, "KO.csv").notes[0] == (
        'KO.csv: read as: Date is "Date", Open is "Open", High is "High", Low is "Low", Close is "Close/Last", '
        'Volume is "Volume"; dates month, day, year; numbers with $'
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    assert_known(read(SAMPLES["Investing.com in German"].encode(encoding), tmp_path))


def test_a_chinese_file_in_its_old_encoding(tmp_path: Path) -> None:
    text = PLAIN.replace("Date,Open,High,Low,Close,Adj Close,Volume", "日期,开盘,最高,最低,收盘,复权,成交量")
    assert_known(read(text.encode("gb18030"), tmp_path))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_files_are_read_whatever_they_are_called(pack: "type", tmp_path: Path) -> None:
    assert_known(read(pack(PLAIN.encode()), tmp_path, "prices.csv"))
    with pytest.raises(FaultyPrices, match="packed file that is damaged"):
        read(pack(PLAIN.encode())[:-9], tmp_path)


def zipped(folder: Path, **members: str) -> bytes:
    with zipfile.ZipFile(folder / "made.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return (folder / "made.zip").read_bytes()


def test_of_a_zip_file_the_member_is_taken_that_is_called_as_the_security(tmp_path: Path) -> None:
    other = PLAIN.replace("61.", "91.")
    assert_known(read(zipped(tmp_path, KO__csv=PLAIN), tmp_path))
    assert_known(read(zipped(tmp_path, PEP__csv=other, KO__csv=PLAIN, read__md="x"), tmp_path))
    with pytest.raises(FaultyPrices, match="damaged zip file"):
        read(zipped(tmp_path, KO__csv=PLAIN)[:-30], tmp_path)


def test_a_spreadsheet(tmp_path: Path) -> None:
    letters = "ABCDEFG"
    rows = [line.split(",") for line in PLAIN.splitlines()]
    cells = "".join(
        f'<row r="{i}">'
        + "".join(
            f'<c r="{letters[j]}{i}"><v>{value}</v></c>'
            if i > 1 and j > 0
            else f'<c r="{letters[j]}{i}" t="inlineStr"><is><t>{value}</t></is></c>'
            for j, value in enumerate(row)
        )
        + "</row>"
        for i, row in enumerate(rows, start=1)
    )
    main, relations = (
        "http://schemas.openxmlformats.org",
        "http://schemas.openxmlformats.org/package/2006/relationships",
    )
    kind = f"{main}/officeDocument/2006/relationships"
    with zipfile.ZipFile(tmp_path / "made.xlsx", "w") as book:
        book.writestr("[Content_Types].xml", f'<Types xmlns="{main}/package/2006/content-types"/>')
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{relations}"><Relationship Id="a" Type="{kind}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        book.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}/spreadsheetml/2006/main" xmlns:r="{kind}"><sheets>'
            '<sheet name="Prices" sheetId="1" r:id="b"/></sheets></workbook>',
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{relations}"><Relationship Id="b" Type="{kind}/worksheet" '
            'Target="worksheets/sheet1.xml"/></Relationships>',
        )
        book.writestr(
            "xl/worksheets/sheet1.xml",
            f'<worksheet xmlns="{main}/spreadsheetml/2006/main"><sheetData>{cells}</sheetData></worksheet>',
        )
    whole = (tmp_path / "made.xlsx").read_bytes()
    assert_known(read(whole, tmp_path, "KO.xlsx"))
    with pytest.raises(FaultyPrices):
        read(whole[: len(whole) // 2], tmp_path)


def test_parquet_with_a_column_or_an_index_of_days(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        np.column_stack([BARS, BARS[:, 3], VOLUME]), index=pd.DatetimeIndex(DAYS, name="Date"), columns=list(COLUMNS)
    )
    for given in (frame, frame.reset_index(), frame.tz_localize("Asia/Tokyo")):
        given.to_parquet(tmp_path / "made.parquet")
        assert_known(read((tmp_path / "made.parquet").read_bytes(), tmp_path))
    with pytest.raises(FaultyPrices, match="no Parquet file that can be read"):
        read((tmp_path / "made.parquet").read_bytes()[:200], tmp_path)


@pytest.mark.parametrize(
    "decimals", ["61.20,61.95,60.88,61.74,61.10,1,204,300", "61,20,61,95,60,88,61,74,61,10,1204300"]
)
def test_commas_in_numbers_without_quotes_are_refused_and_never_read_shifted(decimals: str, tmp_path: Path) -> None:
    lines = PLAIN.splitlines()
    with pytest.raises(FaultyPrices, match="values below a header of 7") as refused:
        read(f"{lines[0]}\n2020-01-30,{decimals}\n", tmp_path)
    assert "quotes" in refused.value.remedy


def test_empty_values_behind_the_last_column_do_not_matter(tmp_path: Path) -> None:
    lines = PLAIN.splitlines()
    assert_known(read("\n".join([lines[0], *(f"{line},," for line in lines[1:])]), tmp_path))


def test_lines_that_stand_in_quotes_as_a_whole(tmp_path: Path) -> None:
    assert_known(read("\n".join(f'"{line}"' for line in PLAIN.splitlines()), tmp_path))


def test_without_a_header_an_adjusted_close_is_told_from_a_volume(tmp_path: Path) -> None:
    prices = read("\n".join(PLAIN.splitlines()[1:]), tmp_path)
    assert_known(prices)
    assert prices.column("Adj Close").tolist() == [61.10, 60.69]


def test_three_decimals_are_no_thousands(tmp_path: Path) -> None:
    text = "Date;Open;High;Low;Close\n2020-01-30;1.234;1.236;1.231;1.235\n2020-01-31;1.235;1.239;1.232;1.238\n"
    assert bars(read(text, tmp_path))[0].tolist() == [1.234, 1.236, 1.231, 1.235]


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("Date,Open,High,Low,Close,Adj Close,Volume", "line 3 left out, the header again: 'Date'"),
        ("# fetched on Friday", "line 3 left out, a comment: '# fetched on Friday'"),
        ("Total,,,,,,2514550", "line 3 left out, no day of prices: 'Total'"),
        ("Average,61.4,62.0,60.9,61.5,60.9,1257275", "line 3 left out, no day of prices: 'Average'"),
        ("Prices in US dollars; as of 2020-02-01", "line 3 left out, no day of prices: 'Prices in US dollars"),
        ("2020-01-31,0.41 Dividend,,,,,", "line 3 left out, a dividend or a split: '2020-01-31'"),
        ("2020-01-31,2:1 Stock Split,,,,,", "line 3 left out, a dividend or a split"),
    ],
)
def test_lines_that_are_no_prices_are_left_out_and_that_is_said(line: str, note: str, tmp_path: Path) -> None:
    lines = PLAIN.splitlines()
    prices = read("\n".join([*lines[:2], line, lines[2]]), tmp_path)
    assert_known(prices)
    assert any(note in each for each in prices.notes)


def test_a_newest_row_without_prices_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    for line in ("2020-02-03,null,null,null,null,null,null", "2020-02-03", "2020-02-03,-,-,-,-,-,0"):
        prices = read(f"{PLAIN}{line}\n", tmp_path, "KO.csv")
        assert_known(prices)
        (note,) = prices.notes
        assert note.startswith("left out, since it holds no price: the newest row, ")
        assert note.endswith("KO.csv, line 4, of 2020-02-03")


def test_dates_that_can_be_read_in_two_ways_are_asked_for(tmp_path: Path) -> None:
    text = "Date,Open,High,Low,Close\n03/02/2020,1,1,1,1\n04/02/2020,1,1,1,1\n"
    with pytest.raises(FaultyPrices, match="03/02/2020, where day and month") as refused:
        read(text, tmp_path)
    assert "--date-format" in refused.value.remedy
    assert read(text, tmp_path, date_format="DD/MM/YYYY").first == date(2020, 2, 3)
    assert read(text, tmp_path, date_format="%m/%d/%Y").first == date(2020, 3, 2)


def test_columns_that_are_not_recognised_are_named_by_the_user(tmp_path: Path) -> None:
    text = PLAIN.replace("Close,Adj", "Price of the day USD,Adj").replace("Open", "Anfang")
    with pytest.raises(FaultyPrices, match="no column Open, Close") as refused:
        read(text, tmp_path)
    assert "--columns" in refused.value.remedy
    prices = read(text, tmp_path, columns=("close=Price of the day USD", "open=anfang"))
    assert_known(prices)
    assert 'Close is "Price of the day USD"' in prices.notes[0]
    with pytest.raises(FaultyPrices, match="no column 'Preis'"):
        read(text, tmp_path, columns=("close=Preis",))
    bare = "\n".join(line.replace(",", "|x|") for line in PLAIN.splitlines()[1:])
    by_number = ("date=1", "open=3", "high=5", "low=7", "close=9", "volume=13")
    assert_known(read(bare, tmp_path, columns=by_number))


@pytest.mark.parametrize(
    ("step", "kind"), [(7, "weekly bars: a row every 7 days"), (30, "monthly bars"), (0, "several bars a day")]
)
def test_bars_of_other_lengths_are_told_as_such(step: int, kind: str, tmp_path: Path) -> None:
    start = np.datetime64("2020-01-02T09:30")
    times = start + np.arange(24) * (np.timedelta64(1, "h") if step == 0 else np.timedelta64(24 * step, "h"))
    rows = "".join(f"{time},1,1,1,1,5\n" for time in np.datetime_as_string(times, unit="s"))
    with pytest.raises(FaultyPrices, match=kind):
        read("time,open,high,low,close,volume\n" + rows, tmp_path)


def test_prices_before_a_split_that_the_file_names_are_divided(tmp_path: Path) -> None:
    head = "date,close,high,low,open,volume,adjClose,splitFactor\n"
    traded = "2020-08-28,400,404,396,400,100,99,1.0\n2020-08-31,101,102,100,100,400,101,4.0\n"
    adjusted = "2020-08-28,100,101,99,100,400,99,1.0\n2020-08-31,101,102,100,100,400,101,4.0\n"
    first, second = (read(head + rows, tmp_path) for rows in (traded, adjusted))
    np.testing.assert_allclose(first.values, second.values)
    assert any("prices before 2020-08-31 divided by 4" in note for note in first.notes)
    assert not any("divided" in note for note in second.notes)


def test_a_file_of_another_security_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongSecurity, match="prices of PEP") as refused:
        read(SAMPLES["Tiingo"].replace("KO,", "PEP,"), tmp_path)
    assert "--ticker" in refused.value.remedy
    with pytest.raises(WrongSecurity, match="prices of MSFT, PEP"):
        read(SAMPLES["Kaggle: several tickers in rows"].replace("KO", "MSFT"), tmp_path)


def test_a_moment_in_utc_is_the_exchanges_day(tmp_path: Path) -> None:
    """Tokyo's midnight, and Sydney's open in summer, lie on the day before in Greenwich."""
    text = "time,open,high,low,close\n2020-01-29T15:00:00Z,1,1,1,1\n2020-01-30T15:00:00Z,1,1,1,1\n"
    file = tmp_path / "a.csv"
    file.write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(read_files([str(file)], KO, ZoneInfo("Asia/Tokyo")).sessions, DAYS)
    file.write_text("time,open,high,low,close\n1580338800,1,1,1,1\n1580425200,1,1,1,1\n", encoding="utf-8")
    np.testing.assert_array_equal(read_files([str(file)], KO, ZoneInfo("Australia/Sydney")).sessions, DAYS)


def test_overlapping_exports_may_disagree_in_the_adjusted_close_and_in_a_day_that_went_on(tmp_path: Path) -> None:
    old = PLAIN.replace("61.10,1204300", "61.74,1204300").replace(
        "62.10,61.05,61.33,60.69,1310250", "62.00,61.50,61.9,61.9,9"
    )
    new = PLAIN + "2020-02-03,61.5,62.0,61.0,61.8,61.2,1000\n"
    for name, text in (("old.csv", old), ("new.csv", new)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    files = [str(tmp_path / name) for name in ("old.csv", "new.csv")]
    for given in (files, files[::-1]):
        prices = read_files(given, KO, NEW_YORK)
        assert_known(prices.rows(0, 2))
        assert prices.column("Adj Close").tolist() == [61.10, 60.69, 61.2]
        assert any("Adj Close differs" in note for note in prices.notes)
        assert any("2020-01-31, its newest day, differs" in note for note in prices.notes)


def test_of_a_folder_the_files_are_taken_that_are_called_as_the_security(tmp_path: Path) -> None:
    (tmp_path / "KO_2020.csv").write_text(PLAIN, encoding="utf-8")
    (tmp_path / "PEP.csv").write_text(PLAIN.replace("61.", "91."), encoding="utf-8")
    (tmp_path / "notes.md").write_text("nothing", encoding="utf-8")
    assert_known(read_files([str(tmp_path)], KO, NEW_YORK))


def test_an_address_is_no_file() -> None:
    with pytest.raises(PricesUnavailable, match="an address, not a file") as refused:
        read_files(["https://example.com/a.csv"], KO, NEW_YORK)
    assert "download it" in refused.value.remedy


@pytest.mark.parametrize("seed", range(40))
def test_a_file_broken_in_any_way_is_read_or_refused_with_an_error_of_ours(seed: int, tmp_path: Path) -> None:
    rng, refused = np.random.default_rng(seed), 0
    for sample in SAMPLES.values():
        raw = bytearray(sample.encode())
        for _ in range(rng.integers(1, 6)):
            raw[rng.integers(len(raw))] = rng.choice([0, 10, 32, 34, 44, 45, 46, 48, 57, 59, 65, 200, 255])
        try:
            prices = read(bytes(raw[: rng.integers(1, len(raw) + 1)]), tmp_path)
        except PricesError:
            refused += 1
        else:
            assert bars(prices).shape == (len(prices), 4)
    assert refused > 0
