"""Files of prices: joined where they agree, refused with the file and the line where they are wrong."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from model.config import PriceRequest
from model.errors import FaultyPrices, PricesUnavailable, TooFewPrices, UsageError
from model.market.calendar import ExchangeCalendar
from model.market.prices import COLUMNS, Prices
from model.market.synthetic import sample_prices
from tasks.prices.request import resolve
from tasks.prices.sources.read import read_prices
from tasks.settings import SecuritySettings, Settings

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
MARKET = sample_prices(date(2013, 3, 28), 0, ExchangeCalendar())
HEADER = "Date,Open,High,Low,Close,Adj Close,Volume"
SETTINGS = Settings(securities=(SecuritySettings(ticker="META", former_tickers=("FB",)),))


def lines(prices: Prices = MARKET) -> list[str]:
    """The export's lines, without a header: 2012-01-03 is the first of them."""
    return [
        f"{day},{','.join(f'{value:.6f}' for value in row[:5])},{row[5]:.0f}"
        for day, row in zip(prices.sessions, prices.values.tolist(), strict=True)
    ]


def write(path: Path, rows: list[str], header: str = HEADER) -> str:
    path.write_text("\n".join([header, *rows]))  # without a newline at its end, as Yahoo's files often are
    return str(path)


def fetch(*files: str, ticker: str = "FB", as_of: date | None = None, now: datetime = NOW) -> Prices:
    wanted = PriceRequest(ticker=ticker, source="csv", files=files, as_of=as_of)
    return read_prices(resolve(wanted, SETTINGS, now), SETTINGS, now)


def test_a_file_is_read_to_the_last_digit(tmp_path: Path) -> None:
    prices = fetch(write(tmp_path / "fb.csv", lines()))
    assert (prices.values == MARKET.values).all()
    assert (prices.sessions == MARKET.sessions).all()
    assert (prices.security.ticker, prices.source, prices.origin, prices.notes) == ("META", "csv", "fb.csv", ())


@pytest.mark.parametrize(
    "rewritten",
    [
        lambda line: ",".join(f'"{cell}"' for cell in line.split(",")),
        lambda line: line.replace(",", ",+", 1),
        lambda line: line.replace(",", " 00:00,", 1),
        lambda line: f"{line},",
    ],
    ids=["quoted", "signed", "with the time of day", "with a comma at its end"],
)
@pytest.mark.parametrize("part", [slice(None), slice(0, None, 100)], ids=["all lines", "some lines"])
def test_another_way_of_writing_the_same_prices_gives_the_same_digits(
    tmp_path: Path, rewritten: Callable[[str], str], part: slice
) -> None:
    rows = lines()
    rows[part] = map(rewritten, rows[part])
    prices = fetch(write(tmp_path / "fb.csv", rows))
    assert (prices.sessions == MARKET.sessions).all()
    assert (prices.values == MARKET.values).all()


def test_several_files_are_joined_whatever_their_order(tmp_path: Path) -> None:
    old, new = write(tmp_path / "old.csv", lines()[:150]), write(tmp_path / "new.csv", lines()[140:])
    joined = fetch(new, old)
    assert joined.fingerprint == fetch(old, new).fingerprint
    assert len(joined) == len(MARKET)
    assert joined.origin == "new.csv, old.csv"


def test_columns_may_stand_in_another_order_and_beside_others(tmp_path: Path) -> None:
    rows = [",".join([*reversed(line.split(",")), "x"]) for line in lines()]
    file = write(tmp_path / "a.csv", rows, ",".join([*reversed(HEADER.split(",")), "Mood"]))
    assert (fetch(file).values == MARKET.values).all()


def test_windows_line_ends_a_byte_order_mark_and_blank_lines_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([HEADER, *lines(), "", ""]).encode())
    assert (fetch(str(path)).values == MARKET.values).all()


def test_days_that_stand_in_two_files_may_differ_in_the_digits_that_are_printed(tmp_path: Path) -> None:
    rows = lines()
    day, *fields = rows[5].split(",")
    rounded = [f"{day},{','.join(f'{float(field):g}' for field in fields[:5])},{fields[5]}"]
    assert len(fetch(write(tmp_path / "a.csv", rows), write(tmp_path / "b.csv", rounded))) == len(MARKET)


def test_a_day_that_differs_between_two_files_names_both_and_both_values(tmp_path: Path) -> None:
    rows = lines()
    day, opened, *rest = rows[5].split(",")
    other = write(tmp_path / "b.csv", [",".join([day, f"{float(opened) + 0.01:.2f}", *rest])])
    with pytest.raises(FaultyPrices) as caught:
        fetch(write(tmp_path / "a.csv", rows), other)
    message = str(caught.value)
    for part in (day, "a.csv, line 7", "b.csv, line 2", opened, f"{float(opened) + 0.01:.2f}"):
        assert part in message


def test_a_day_that_stands_twice_in_one_file_must_agree(tmp_path: Path) -> None:
    rows = lines()
    twice = fetch(write(tmp_path / "a.csv", [*rows, rows[-1]]))
    assert len(twice) == len(MARKET)
    assert "occur twice and agree" in twice.notes[0]
    wrong = rows[-1].rpartition(",")[0] + ",1"
    with pytest.raises(FaultyPrices, match=r"2013-03-28 occurs twice and disagrees: .*line 311, and .*line 312"):
        fetch(write(tmp_path / "b.csv", [*rows, wrong]))


def test_unsorted_rows_are_sorted_and_that_is_said(tmp_path: Path) -> None:
    prices = fetch(write(tmp_path / "a.csv", list(reversed(lines()))))
    assert (prices.values == MARKET.values).all()
    assert "not in the order of their dates; sorted" in prices.notes[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b" \n\n", "an empty file"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a picture"),
        (b"\xff\xfd\x00\x01\x02", "not CSV: byte 2 is not text"),
        (b"a\0b\0c", "not CSV: it holds zero bytes"),
        (b"<!doctype html><html></html>", "a web page"),
        (HEADER.replace("Low,", "").encode(), "no column Low;"),
        (HEADER.encode() + b",Close\n", "the column Close more than once"),
        (HEADER.encode() + b"\n2012-01-03,1,1,1,1,1,1\n2012-01-04,1,1\n", "line 3: 3 values"),
        (HEADER.encode() + b"\n03/01/2012,1,1,1,1,1,1\n", "dates such as 03/01/2012, where day and month"),
        (HEADER.encode() + b"\n2012-01-03,1,1,1,1,1,1\n05/01/2012,1,1,1,1,1,1\n", "line 3: Date '05/01/2012'"),
        (HEADER.encode() + b"\n2012-02-30,1,1,1,1,1,1\n", "line 2: Date '2012-02-30'"),
        (HEADER.encode() + b"\n0001-01-01,1,1,1,1,1,1\n", "line 2: Date '0001-01-01'"),
        (HEADER.encode() + b"\n,1,1,1,1,1,1\n", "line 2: Date ''"),
        (HEADER.encode() + b"\n2012-01-03,1,1,one,1,1,1\n", "line 2: Low 'one'"),
        (HEADER.encode() + b"\n2012-01-03,1_0,1,1,1,1,1\n", "line 2: Open '1_0'"),
        (HEADER.encode() + b'\n2012-01-03,1,1,1,1,1,"1,00,0"\n', "line 2: Volume '1,00,0'"),
        (HEADER.encode() + b'\n2012-01-03,"1,1,1,1,1,1\n', "line 2: not CSV"),
        (HEADER.encode() + b"\n2012-01-03,1,1,1,null,1,1\n", "Close not a number: 2012-01-03"),
        (HEADER.encode() + b"\n2012-01-03,1,inf,1,1,1,1\n", "High infinite: 2012-01-03"),
        (HEADER.encode() + b"\n2012-01-03,1,1,0,1,1,1\n", "Low zero: 2012-01-03"),
        (HEADER.encode() + b"\n2012-01-03,1,1,-1,1,1,1\n", "Low negative: 2012-01-03"),
        (HEADER.encode() + b"\n2012-01-03,2,1,3,2,2,1\n", "High below Low: 2012-01-03"),
    ],
)
def test_a_faulty_file_is_named_with_what_is_wrong(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "wrong.csv"
    path.write_bytes(content)
    with pytest.raises(FaultyPrices) as caught:
        fetch(str(path))
    assert message in str(caught.value)
    assert "wrong.csv" in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_missing_session_is_named(tmp_path: Path) -> None:
    rows = lines()
    day = rows.pop(100)[:10]
    with pytest.raises(FaultyPrices, match=f"1 session missing: {day}"):
        fetch(write(tmp_path / "a.csv", rows))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(PricesUnavailable, match=r"nowhere\.csv: no such file") as caught:
        fetch(str(tmp_path / "nowhere.csv"))
    assert caught.value.exit_code == 3
    with pytest.raises(PricesUnavailable, match="a folder"):
        fetch(str(tmp_path))


def test_a_file_without_rows_has_too_few_prices(tmp_path: Path) -> None:
    with pytest.raises(TooFewPrices, match=r"no row of prices[\s\S]*look at a\.csv"):
        fetch(write(tmp_path / "a.csv", []))


def test_sessions_that_are_not_over_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    noon = datetime(2013, 3, 27, 17, 0, tzinfo=UTC)
    prices = fetch(write(tmp_path / "a.csv", lines()), now=noon)
    assert prices.last == date(2013, 3, 26)
    assert "2013-03-27 to 2013-03-28 (2 rows)" in prices.notes[0]


def test_a_fault_in_a_session_that_is_not_over_does_not_matter(tmp_path: Path) -> None:
    rows = [*lines()[:-1], "2013-03-28,null,null,null,null,null,null"]
    noon = datetime(2013, 3, 28, 17, 0, tzinfo=UTC)
    assert fetch(write(tmp_path / "a.csv", rows), now=noon).last == date(2013, 3, 27)


@pytest.mark.parametrize(("as_of", "last"), [("2012-06-29", "2012-06-29"), ("2012-07-01", "2012-06-29")])
def test_as_of_shows_what_was_known_that_day(tmp_path: Path, as_of: str, last: str) -> None:
    prices = fetch(write(tmp_path / "a.csv", lines()), as_of=date.fromisoformat(as_of))
    assert prices.last == date.fromisoformat(last)
    assert (prices.values == MARKET.values[: len(prices)]).all()


def test_as_of_before_the_first_row_has_too_few_prices(tmp_path: Path) -> None:
    with pytest.raises(TooFewPrices, match="none on or before 2011-12-31"):
        fetch(write(tmp_path / "a.csv", lines()), as_of=date(2011, 12, 31))


def test_as_of_a_day_to_come_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", lines())
    with pytest.raises(UsageError, match="2026-11-21: a day in the future"):
        fetch(file, as_of=date(2026, 11, 21))
    assert fetch(file, as_of=date(2026, 11, 20)).last == MARKET.last


def test_the_tutorials_files_join_to_1279_prices(real_prices: Path) -> None:
    files = [str(real_prices / name) for name in ("FB_training_data.csv", "FB_test_data.csv")]
    prices = fetch(*files)
    assert (len(prices), prices.first, prices.last) == (1279, date(2015, 1, 2), date(2020, 1, 31))
    opened = prices.column("Open")[-22:]
    assert np.sqrt(np.mean(np.diff(opened) ** 2)) == pytest.approx(4.382, abs=5e-4)


def test_files_that_overlap_in_full_agree(real_prices: Path) -> None:
    files = [str(real_prices / name) for name in ("FB_training_data.csv", "FB_2012_2020.csv", "FB_test_data.csv")]
    prices = fetch(*files)
    assert (len(prices), prices.first, prices.notes) == (2157, date(2012, 5, 18), ())
    assert prices.values.shape[1] == len(COLUMNS)
