"""Prices come back from a file to the last bit, and anything else is refused."""

import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import FaultyPrices
from model.market.prices import COLUMNS, OtherSeries, Prices
from model.market.security import Security
from tasks.prices.parquet import ABOUT, read_price_file, write_price_file
from tests.market import make_prices
from tests.project import ROOT

FACEBOOK = Security(ticker="META", name="Facebook", former_tickers=("FB",), first_session=date(2012, 5, 18))

NUMBERS = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)


@given(rows=st.lists(st.lists(NUMBERS, min_size=6, max_size=6), max_size=20), origin=st.text(), note=st.text())
def test_whatever_the_numbers_every_bit_comes_back(rows: list[list[float]], origin: str, note: str) -> None:
    prices = Prices(
        security=FACEBOOK,
        source="yahoo",
        origin=origin,
        sessions=np.datetime64("2020-01-01", "D") + np.arange(len(rows)).astype("timedelta64[D]"),
        values=np.array(rows, dtype=np.float64).reshape(len(rows), len(COLUMNS)),
        notes=(note,),
    )
    with TemporaryDirectory() as folder:
        write_price_file(prices, Path(folder, "prices.parquet"))
        again = read_price_file(Path(folder, "prices.parquet"))
    assert again.values.tobytes() == prices.values.tobytes()
    assert np.array_equal(again.sessions, prices.sessions)
    assert again.sessions.dtype == np.dtype("datetime64[D]")
    assert (again.security, again.source, again.origin, again.notes) == (FACEBOOK, "yahoo", origin, (note,))


def test_a_number_changed_in_the_file_is_noticed(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    prices = make_prices(50)
    values = prices.values.copy()
    values[-1, 0] = np.nextafter(values[-1, 0], np.inf)
    write_price_file(prices, tmp_path / "honest.parquet")
    write_price_file(replace(prices, values=values), tmp_path / "other.parquet")
    # The numbers of the one under the fingerprint of the other.
    about = pq.read_table(tmp_path / "honest.parquet").schema.metadata[ABOUT]
    forged = pq.read_table(tmp_path / "other.parquet").replace_schema_metadata({ABOUT: about})
    pq.write_table(forged, tmp_path / "forged.parquet")
    with pytest.raises(FaultyPrices, match=r"forged\.parquet") as refused:
        read_price_file(tmp_path / "forged.parquet")
    assert refused.value.data["expected"] == prices.fingerprint


READ = """
import os, sys
from pathlib import Path
import pyarrow.parquet
from tasks.prices.parquet import read_price_file

before = os.listdir("/proc/self/task")
assert len(read_price_file(Path(sys.argv[1]))) == 50
assert os.listdir("/proc/self/task") == before
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs a list of the process's threads: /proc")
def test_reading_starts_no_thread_that_is_there_when_the_process_ends(tmp_path: Path) -> None:
    write_price_file(make_prices(50), tmp_path / "prices.parquet")
    subprocess.run([sys.executable, "-c", READ, str(tmp_path / "prices.parquet")], cwd=ROOT, check=True)


def test_a_file_that_is_no_price_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "prices.parquet"
    file.write_bytes(b"Date,Open\n2020-01-02,206.75\n")
    with pytest.raises(FaultyPrices, match="not written by tomorrow, or damaged"):
        read_price_file(file)


def test_a_table_of_somebody_elses_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"Date": [1, 2]}), tmp_path / "prices.parquet")
    with pytest.raises(FaultyPrices, match="not written by tomorrow, or damaged"):
        read_price_file(tmp_path / "prices.parquet")


def test_other_series_are_read_as_they_were_written(tmp_path: Path) -> None:
    values = np.array([[1.5], [np.nan], [2.25]])
    others = OtherSeries(columns=("^VIX",), values=values, sources={"^VIX": "abc"})
    prices, file = replace(make_prices(3), others=others), tmp_path / "prices.parquet"
    write_price_file(prices, file)
    read = read_price_file(file).others
    assert read is not None
    assert (read.columns, read.sources) == (("^VIX",), {"^VIX": "abc"})
    np.testing.assert_array_equal(read.values, values)
