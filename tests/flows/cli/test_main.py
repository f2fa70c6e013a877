"""Every user's mistake: its exit code, a message that names it, nothing registered, no bare traceback."""

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from flows.cli.address_space import FITS, LOOKS, RUNS
from flows.cli.main import main
from flows.runs.clock import clock_at
from model.market.prices import COLUMNS
from tests.flows.conftest import SMALL, Run
from tests.market import write_csv, zigzag
from tests.project import ROOT

if TYPE_CHECKING:
    from mlflow import MlflowClient


FAST_MARKET = ("--source", "sample", "--as-of", "2013-06-28")


@pytest.fixture
def good(tmp_path: Path) -> list[str]:
    """The lines of a good file of prices; the header is the first."""
    return write_csv(zigzag(100), tmp_path / "good.csv").read_text().splitlines()


def changed(line: str, column: str, value: str) -> str:
    cells = line.split(",")
    cells[1 + COLUMNS.index(column)] = value
    return ",".join(cells)


CSV = ("--source", "csv", "--ticker", "FB")
FAULTS: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "an empty file": (lambda _: [], "empty"),
    "not CSV": (lambda _: ["\x00\x01\x02"], "bad.csv"),
    "a missing column": (lambda lines: [line.replace("Low", "Deep") for line in lines], "no column Low"),
    "an unreadable date": (lambda lines: [*lines[:5], "soon" + lines[5][10:], *lines[6:]], "soon"),
    "a day that disagrees": (lambda lines: [*lines, changed(lines[5], "Open", "123.45")], "2019-01-08"),
    "no number": (lambda lines: [*lines[:5], changed(lines[5], "Open", "null"), *lines[6:]], "2019-01-08"),
    "infinite": (lambda lines: [*lines[:5], changed(lines[5], "Open", "inf"), *lines[6:]], "2019-01-08"),
    "zero": (lambda lines: [*lines[:5], changed(lines[5], "Open", "0"), *lines[6:]], "2019-01-08"),
    "negative": (lambda lines: [*lines[:5], changed(lines[5], "Close", "-5"), *lines[6:]], "2019-01-08"),
    "a missing session": (lambda lines: [*lines[:5], *lines[6:]], "2019-01-08"),
    "high below low": (lambda lines: [*lines[:5], changed(lines[5], "High", "1"), *lines[6:]], "2019-01-08"),
    "too few sessions": (lambda lines: lines[:27], "26 sessions"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_prices_end_with_exit_3_and_their_name(
    fault: str, run: Run, client: "MlflowClient", tmp_path: Path, good: list[str]
) -> None:
    spoil, said = FAULTS[fault]
    (tmp_path / "bad.csv").write_text("\n".join(spoil(good)))
    refused = run("train", *CSV, "--prices", str(tmp_path / "bad.csv"), *SMALL)
    assert (refused.code, refused.out) == (3, "")
    assert said in refused.err
    assert "needed:" in refused.err
    assert "Traceback" not in refused.err
    assert client.search_registered_models() == []


def test_a_missing_file_is_named(run: Run) -> None:
    refused = run("train", *CSV, "--prices", "nowhere.csv", "--json")
    assert refused.code == 3
    assert "nowhere.csv" in refused.json["error"]["message"]


def test_rows_out_of_order_are_sorted_and_it_is_said(run: Run, tmp_path: Path, good: list[str]) -> None:
    (tmp_path / "mixed.csv").write_text("\n".join([good[0], *reversed(good[1:])]))
    done = run("train", *CSV, "--prices", str(tmp_path / "mixed.csv"), *SMALL)
    assert done.code == 0
    assert "sorted" in done.out


def test_constant_prices_cannot_be_scaled(run: Run, tmp_path: Path) -> None:
    file = write_csv(zigzag(100, low=100.0, high=100.0), tmp_path / "flat.csv")
    refused = run("train", *CSV, "--prices", str(file), *SMALL)
    assert refused.code == 3
    assert "the same price, $100.00" in refused.err


WRONG_USE = {
    "csv without a ticker": (("--source", "csv", "--prices", "COPPER_WORKS.csv"), "add --ticker TICKER"),
    "no name of a column": ((*CSV, "--prices", "a.csv", "--columns", "clse=x"), "NAME=TITLE"),
    "no form of dates": ((*CSV, "--prices", "a.csv", "--date-format", "YYYY"), "DD/MM/YYYY"),
    "columns of another source": (("--source", "sample", "--columns", "close=x"), "--columns"),
    "no epochs": (("--epochs", "0"), "training.epochs"),
    "fewer than no epochs": (("--epochs", "-3"), "training.epochs"),
    "no lookback": (("--lookback", "0"), "lookback"),
    "no batch": (("--batch-size", "0"), "training.batch_size"),
    "an unknown preset": (("--preset", "tutorail"), "tutorial"),
    "an unknown column": (("--column", "Opne"), "Opne"),
    "an unknown source": (("--source", "bloomberg"), "bloomberg"),
    "an ill-formed ticker": (("--source", "yahoo", "--ticker", "F B"), "F B"),
    "an ill-formed month": (("--test-month", "2020-13"), "2020-13"),
    "an ill-formed day": (("--as-of", "yesterday"), "yesterday"),
    "an unknown key": (("--set", "network.unit=[4]"), "units"),
    "an unknown part": (("--set", "netwrok.units=[4]"), "netwrok"),
    "no assignment": (("--set", "network.units"), "KEY=VALUE"),
    "both ways of clipping": (("--set", "training.clip_norm=1", "--set", "training.clip_value=1"), "exclude"),
    "an unknown option": (("--epoch", "3"), "--epoch"),
    "a file without csv": (("--source", "sample", "--prices", "x.csv"), "x.csv"),
    "csv without a file": (("--source", "csv"), "--prices"),
    "a day to come": (("--source", "sample", "--as-of", "2099-01-01"), "2099-01-01"),
}


@pytest.mark.parametrize("mistake", WRONG_USE)
def test_wrong_use_ends_with_exit_2_and_says_what_would_be_right(
    mistake: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "COPPER_WORKS.csv").touch()
    arguments, said = WRONG_USE[mistake]
    refused = run("train", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.parametrize("month", ["2011-06", "2013-09"])
def test_a_month_without_sessions_is_wrong_use(run: Run, month: str) -> None:
    refused = run("train", "--source", "sample", "--as-of", "2013-06-28", "--test-month", month)
    assert refused.code == 2
    assert f"test month {month}" in refused.err


def test_a_key_of_mlflow_yaml_that_is_misspelt_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mlflow.yaml"
    file.write_text("gate:\n  min_evidense: 50\n")
    monkeypatch.setenv("TOMORROW_CONFIG", str(file))
    refused = run("predict")
    assert refused.code == 2
    assert "gate.min_evidense" in refused.err
    assert "min_evidence" in refused.err


def test_a_tracking_database_that_cannot_be_used_is_named(run: Run, home: Path) -> None:
    database = home / "mlflow.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
    newer = run("predict", "--source", "sample")
    assert newer.code == 2
    assert "newer MLflow" in newer.err
    database.write_bytes(b"no database at all, but a text that is long enough to be looked at" * 20)
    broken = run("predict", "--source", "sample")
    assert broken.code == 2
    assert "mlflow.db" in broken.err


def test_an_error_with_json_is_one_object_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    assert main(["train", "--preset", "none", "--json"]) == 2
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert error["kind"] == "UsageError"
    assert {"message", "subject", "have", "need", "remedy"} <= set(error)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status"], "the answer on standard output: No space left on device"),
        (["status", "--json"], "the answer on standard output: No space left on device"),
        (["train", "--preset", "none", "--json"], "no preset of that name"),
    ],
)
def test_an_answer_that_finds_no_room_is_told_where_there_is_some(home: Path, arguments: list[str], said: str) -> None:
    command = [sys.executable, "-c", "import sys; from flows.cli.main import main; sys.exit(main())", *arguments]
    environment = {**os.environ, "TOMORROW_HOME": str(home)}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[0]
    assert "Exception" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "code", "answers"),
    [
        ("status --json 2>&-", 0, True),
        ("train --preset none --json 2>&-", 2, True),
        ("train --preset none 2>&-", 2, False),
        ("status >&-", 0, False),
        ("status --json <&- >&- 2>&-", 0, False),
    ],
)
def test_a_stream_that_is_closed_gets_nothing_and_no_other_gets_what_it_was_meant_for(
    home: Path, line: str, code: int, answers: bool
) -> None:
    command = f"{shlex.quote(sys.executable)} -m flows.cli.main {line}"
    environment = {**os.environ, "TOMORROW_HOME": str(home)}
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (code, b"")
    assert json.loads(done.stdout) if answers else done.stdout == b""


@pytest.mark.slow
def test_with_standard_error_closed_a_training_prints_its_answer_alone(home: Path) -> None:
    arguments = shlex.join(["train", *FAST_MARKET, *SMALL, "--json"])
    command = f"{shlex.quote(sys.executable)} -m flows.cli.main {arguments} 2>&-"
    # A command that ran in the tests' own process before may have named another folder of Prefect's.
    environment = {**os.environ, "TOMORROW_HOME": str(home), "PREFECT_HOME": str(home / "prefect")}
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, env=environment, check=False)
    assert json.loads(done.stdout)["version"] == 1
    for database in ("mlflow.db", "ledger.db", "prefect/prefect.db"):
        with sqlite3.connect(home / database) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.slow
def test_whoever_stops_reading_sees_no_trace(home: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -c 'from flows.cli.main import main; main()' status | true"
    environment = {**os.environ, "TOMORROW_HOME": str(home)}
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment, check=False)
    assert done.stderr == ""


def test_the_worked_faults_are_those_of_a_file_that_is_fine_otherwise(run: Run, tmp_path: Path) -> None:
    prices = zigzag(100)
    done = run("train", *CSV, "--prices", str(write_csv(prices, tmp_path / "good.csv")), *SMALL, "--json")
    assert done.code == 0
    assert done.json["prices"]["sessions"] == 100
    assert np.isfinite(done.json["metrics"]["rmse"])


def test_the_prices_of_an_answer_end_with_its_test_period(run: Run) -> None:
    answer = run("train", *FAST_MARKET, *SMALL, "--test-month", "2013-05", "--json").json
    assert answer["prices"]["last"] == answer["test"]["last"] == "2013-05-31"


@pytest.mark.parametrize(
    "arguments",
    [
        ("history", "a'\"b"),
        ("promote", "a'\"b", "1"),
        ("approve", "a'\"b", "1"),
        ("rollback", "a'\"b", "--reason", "why"),
        ("promote", "a\nb\\", "1"),
    ],
)
def test_a_model_of_any_name_that_is_not_there_is_told_of(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (5 if arguments[0] == "rollback" else 2, "")
    assert f"model {arguments[1]!r}" in done.err or arguments[1] in done.err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere an address space cannot be limited")
@pytest.mark.parametrize(
    ("limit", "arguments", "code"),
    [
        (100, ("status", "--json"), 2),
        (LOOKS - 1, ("status", "--json"), 2),
        (RUNS - 1, ("predict", *FAST_MARKET, "--json"), 2),
        (FITS - 1, ("train", *FAST_MARKET, *SMALL, "--json"), 2),
        (LOOKS, ("status", "--json"), 0),
        (RUNS, ("predict", *FAST_MARKET, "--json"), 5),
        (FITS, ("train", *FAST_MARKET, *SMALL, "--json"), 0),
    ],
)
def test_a_limit_of_address_space_that_is_too_small_is_told_of_and_one_that_is_large_enough_is_enough(
    home: Path, limit: int, arguments: tuple[str, ...], code: int
) -> None:
    """The limits in MB are those that a command asks for."""
    command = (
        f"ulimit -v {limit * 1_000_000 // 1024 + 1}; {shlex.join([sys.executable, '-m', 'flows.cli.main', *arguments])}"
    )
    environment = {**os.environ, "TOMORROW_HOME": str(home)}
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == code, done.stderr
    answer = json.loads(done.stdout)
    assert "Traceback" not in done.stderr
    if code == 2:
        assert "address space" in answer["error"]["subject"]


@pytest.mark.parametrize(("day", "code"), [("2026-11-25", 0), ("2026-11-26", 2)])
@pytest.mark.usefixtures("home")
def test_a_day_is_accepted_by_the_date_at_its_own_exchange(day: str, code: int) -> None:
    # Auckland has closed on the 25th, while it is still the 24th in New York.
    with clock_at(datetime(2026, 11, 25, 4, 30, tzinfo=UTC)):
        assert main(["prices", "--ticker", "SPK.NZ", "--accept", day, "--reason", "looked up"]) == code


@pytest.mark.usefixtures("home")
def test_a_reason_of_spaces_alone_begins_no_model_anew(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--source", "sample", "--anew", "  "]) == 2
    assert "--anew: no reason" in capsys.readouterr().err
