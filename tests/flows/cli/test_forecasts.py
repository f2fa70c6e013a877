"""`tomorrow forecasts`: the ledger as a list and as CSV, without Prefect, MLflow or TensorFlow."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.cli.main import main
from model.evaluation.decision import DecisionWord
from model.forecaster.explanation import Explanation
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.registry.stage_history import StageChange, StageHistory
from tasks.settings import read_settings
from tests.tasks.forecasts.recorded import ahead, distributed, forecast

HEADINGS = ["session", "model", "by", "forecast", "95 % interval", "naive", "happened", "CRPS"]
# The CRPS of a median that is off by 0.5, whose 80 and 95 % intervals reach 1 and 2 to both sides.
SCORE = "$0.313"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory, which commands use."""
    monkeypatch.setenv("TOMORROW_HOME", str(tmp_path / "var"))
    return tmp_path


Told = Callable[..., tuple[int, str, str]]


@pytest.fixture
def told(home: Path, capfd: pytest.CaptureFixture[str]) -> Told:  # noqa: ARG001 - it is needed
    """The command's exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(("forecasts", *arguments))
        return code, *capfd.readouterr()

    return run


def record(*rows: RecordedForecast, off: float | None = None) -> None:
    """Put forecasts into the ledger; where `off` is given, the price comes so far above each of them."""
    ledger = Ledger(read_settings().ledger_uri)
    for row in rows:
        ledger.append(row)
        if off is not None:
            ledger.fill_in([(row, row.forecast + off)], at=row.made_at + timedelta(days=1))


def table(out: str) -> list[list[str]]:
    """The cells of the table: two spaces or more stand between them."""
    return [[cell for cell in line.split("  ") if cell.strip()] for line in out.splitlines() if line[:2] == "20"]


@pytest.mark.usefixtures("home")
def test_each_forecast_stands_beside_what_happened_with_its_score(told: Told) -> None:
    record(distributed(forecast(40, 3)), off=0.5)
    record(replace(distributed(forecast(41, 3)), late=True), off=0.5)
    record(replace(distributed(forecast(42, 3)), without="^VIX"), off=2.5)
    record(replace(forecast(43, 3), version=None, model="NIKK-Open", currency="JPY", naive=38123.0, forecast=38200.0))
    code, out, _ = told()
    assert code == 0
    assert [cell.strip() for cell in out.splitlines()[0].split("  ") if cell.strip()] == HEADINGS
    rows = [[cell.strip() for cell in row] for row in table(out)]
    assert [row[:5] for row in rows[:3]] == [
        ["2019-02-26", "TEST-Open", "version 3", "$140.00", "$138.00 to $142.00"],
        ["2019-02-27", "TEST-Open", "version 3", "$141.00", "$139.00 to $143.00"],
        ["2019-02-28", "TEST-Open", "version 3", "$142.00", "$140.00 to $144.00"],
    ]
    assert [row[6] for row in rows] == ["$140.50", "$141.50", "$144.50", "waiting"]
    assert rows[0][7] == SCORE
    assert rows[1][7:] == ["-", "late"]
    assert rows[2][8:] == ["outside, without ^VIX"]
    assert rows[3] == ["2019-03-01", "NIKK-Open", "naive", "38,200 JPY", "-", "38,123 JPY", "waiting", "-"]
    assert "late: made after that session opened; it is not scored." in out
    assert "without: that other series was not known when it was made." in out


@pytest.mark.usefixtures("home")
def test_the_newest_are_listed_of_one_model_or_of_all_and_the_list_says_how_many_there_are(told: Told) -> None:
    record(*(forecast(row) for row in range(25, 60)))
    record(replace(forecast(30), model="AAPL-Open"))
    _, out, _ = told()
    assert (len(table(out)), table(out)[-1][0]) == (30, "2019-03-25")
    assert "The newest 30 of 36 forecasts; --last N shows more or fewer." in out
    _, out, _ = told("TEST-Open", "--last", "2")
    assert [row[0] for row in table(out)] == ["2019-03-22", "2019-03-25"]
    assert "The newest 2 of 35 forecasts" in out
    _, out, _ = told("--last", "99")
    assert len(table(out)) == 36
    assert "The newest" not in out


@pytest.mark.usefixtures("home")
def test_the_csv_has_every_figure_to_its_last_digit(told: Told, home: Path) -> None:
    why = Explanation(usual=0.02, factors={"moves": 1.25, "limit": 0.5}, scale=0.0125)
    row = replace(distributed(forecast(40, 3)), explanation=why)
    record(row, off=0.5)
    record(replace(forecast(41, 3), version=None, currency=None))
    file = home / "forecasts.csv"
    code, out, _ = told("--csv", str(file), "--json")
    assert code == 0
    with file.open(encoding="utf-8", newline="") as text:
        first, second = csv.DictReader(text)
    answer = json.loads(out)
    assert (answer["csv"], answer["total"], len(answer["forecasts"])) == (str(file), 2, 2)
    listed = answer["forecasts"][0]
    for name in ("forecast", "naive", "observed", "error", "crps"):
        assert float(first[name]) == listed[name], name
    assert (listed["error"], first["version"], first["late"], first["currency"]) == (0.5, "3", "false", "USD")
    assert (first["made_at"], first["observed_at"]) == ("2019-02-25T22:00:00+00:00", "2019-02-26T22:00:00+00:00")
    assert [float(first[name]) for name in ("lower_80", "upper_80", "lower_95", "upper_95")] == [139, 141, 138, 142]
    assert {name: float(first[f"naive_forecast_{name}"]) for name in row.naives} == row.naives
    assert {p: float(first[f"quantile_{p}"]) for p in row.quantiles} == row.quantiles
    assert float(first["naive_crps_constant_250"]) == listed["naive_crps"]["constant_250"] > 1
    told_why = [float(first[name]) for name in ("usual_scale", "factor_moves", "factor_limit", "scale")]
    assert told_why == [0.02, 1.25, 0.5, 0.0125]
    assert listed["explanation"] == {"usual": 0.02, "factors": {"moves": 1.25, "limit": 0.5}, "scale": 0.0125}
    assert answer["forecasts"][1]["explanation"] is None
    # What there is none of is empty: no version, no currency, no distribution, no price yet, no explanation.
    nothing = ("version", "currency", "quantile_0.5", "observed", "crps", "lower_95", "scale", "factor_moves")
    assert {second[name] for name in nothing} == {""}


@pytest.mark.usefixtures("home")
def test_a_list_is_written_again_and_no_other_file_is_overwritten(told: Told, home: Path) -> None:
    record(forecast(40))
    file, prices = home / "forecasts.csv", home / "KO.csv"
    link = home / "link.csv"
    link.symlink_to(file)
    assert told("--csv", str(file))[0] == 0
    record(forecast(41))
    assert told("--csv", str(link))[0] == 0
    assert len(file.read_text(encoding="utf-8").splitlines()) == 3
    assert link.is_symlink()
    prices.write_text("Date,Open\n2020-01-02,55.3\n", encoding="utf-8")
    code, _, err = told("--csv", str(prices))
    assert (code, prices.read_text(encoding="utf-8")) == (2, "Date,Open\n2020-01-02,55.3\n")
    assert "the file exists, and is not a list of forecasts" in err


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("nowhere/list.csv", "No such file or directory"),
        ("", "it is a folder"),
        ("/dev/null", "it is not a regular file"),
        ("-", "not a file's name; --json"),
    ],
)
def test_a_file_that_cannot_be_written_is_named(told: Told, home: Path, place: str, found: str) -> None:
    record(forecast(40))
    code, _, err = told("--csv", str(home / place))
    assert code == 2
    assert f"--csv {str(home / place).rstrip('/')}: {found}" in err
    assert [left.name for left in home.iterdir()] == ["var"]


@pytest.mark.usefixtures("home")
def test_where_there_are_no_forecasts_it_says_whether_there_is_such_a_model(told: Told, home: Path) -> None:
    code, _, err = told("--csv", str(home / "list.csv"))
    assert (code, "the ledger: no forecasts yet" in err, "tomorrow predict" in err) == (2, True, True)
    assert not (home / "list.csv").exists()
    assert "there is none yet" in told("META-Open")[2]
    record(forecast(40))
    code, _, err = told("TSET-Open")
    assert (code, "model 'TSET-Open': not in the ledger\n  needed: one of TEST-Open" in err) == (2, True)
    trained = StageChange(
        move="m",
        model="META-Open",
        version=1,
        before="None",
        after="Staging",
        at=datetime(2020, 2, 3, tzinfo=UTC),
        by="train",
        decision=DecisionWord.MOVED,
        reasons=(),
        forced=None,
        verdict=None,
        evidence=None,
    )
    StageHistory(read_settings().ledger_uri).append([trained])
    code, out, _ = told("META-Open", "--json")
    assert (code, json.loads(out)["error"]["have"]) == (2, "no forecasts yet")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("text", "found"), [("0", "'0' is not 1 or more"), ("few", "'few' is not a whole number")])
def test_a_number_that_is_none_is_refused(told: Told, text: str, found: str) -> None:
    code, _, err = told("--last", text)
    assert (code, found in err) == (2, True)


@pytest.mark.usefixtures("home")
def test_it_loads_no_heavy_library() -> None:
    record(distributed(forecast(40)), off=0.5)
    heavy = ("prefect", "mlflow", "tensorflow", "keras", "pandas", "exchange_calendars")
    asked = (
        "import sys; from flows.cli.main import main; assert main(['forecasts']) == 0; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", asked], env=os.environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "[]")


@pytest.mark.usefixtures("home")
def test_the_list_is_of_the_next_session_with_the_newest_cone_below_and_of_others_on_request(told: Told) -> None:
    before = distributed(forecast(40, 3))
    record(before, off=0.5)
    _, plain, _ = told("TEST-Open")
    assert "ahead" not in plain
    record(ahead(before), off=0.5)
    newest = distributed(forecast(41, 3))
    record(newest, ahead(newest), replace(ahead(newest, 13), version=None))
    code, out, _ = told("TEST-Open")
    assert (code, len(table(out))) == (0, 2)
    assert out.splitlines()[-4:] == [
        "Further ahead, from 2019-02-26 (version 3):",
        "  5 sessions ahead, on 2019-03-05: $141.00 (80 %: $140.00 to $142.00, 95 %: $139.00 to $143.00)",
        "  13 sessions ahead, on 2019-03-15: $141.00 (80 %: $140.00 to $142.00, 95 %: $139.00 to $143.00), the naive "
        "distribution",
        "  --horizon 5,13 lists the forecasts so many sessions ahead.",
    ]
    answer = json.loads(told("TEST-Open", "--json")[1])
    assert (answer["total"], answer["horizons"]) == (2, [1, 5, 13])
    assert [row["horizon"] for row in answer["forecasts"]] == [1, 1]
    assert [(row["horizon"], row["version"], row["session"]) for row in answer["cone"]] == [
        (5, 3, "2019-03-05"),
        (13, None, "2019-03-15"),
    ]
    code, out, _ = told("--horizon", "5,13")
    assert [[cell.strip() for cell in row[:3]] for row in table(out)] == [
        ["2019-03-04", "5", "TEST-Open"],
        ["2019-03-05", "5", "TEST-Open"],
        ["2019-03-15", "13", "TEST-Open"],
    ]
    assert SCORE in out
    assert len(table(told("--horizon", "1")[1])) == 2


@pytest.mark.usefixtures("home")
def test_the_csv_of_a_later_session_holds_that_alone(told: Told, home: Path) -> None:
    row = distributed(forecast(40, 3))
    record(row, ahead(row))
    file = home / "forecasts.csv"
    for horizons, expected in (("1", ["1"]), ("5", ["5"]), ("1,5", ["1", "5"])):
        assert told("--horizon", horizons, "--csv", str(file))[0] == 0
        with file.open(encoding="utf-8", newline="") as text:
            assert [line["horizon"] for line in csv.DictReader(text)] == expected


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("asked", "found"),
    [("0", "'0' is no list"), ("22", "'22' is no list"), ("week", "'week' is no list"), ("21", "no forecasts 21")],
)
def test_a_horizon_that_there_is_not_is_named(told: Told, asked: str, found: str) -> None:
    record(forecast(40))
    code, _, err = told("--horizon", asked)
    assert (code, found in err) == (2, True)


@pytest.mark.usefixtures("home")
def test_what_makes_forecasts_of_horizons_that_there_are_not_can_be_copied(told: Told) -> None:
    record(forecast(40))
    assert "tomorrow train --preset anchored --horizon 5,21" in told("--horizon", "21,5")[2]
