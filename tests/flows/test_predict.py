"""`tomorrow predict`: the Production version out of the registry, the next session, the ledger."""

import json
import math
import os
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.runs.clock import clock_at
from model.config import PriceRequest
from model.evaluation.baselines import best_naive_distribution
from model.market.calendar import ExchangeCalendar
from model.market.prices import Prices
from tasks.ledger.forecasts import Ledger
from tasks.prices.request import resolve
from tasks.prices.sources.read import read_prices
from tasks.settings import read_settings
from tests.flows.conftest import MARKET, SMALL, Run
from tests.servers import free_port, serving

EVENING = datetime(2013, 6, 28, 22, 15, tzinfo=UTC)

# Runs with nothing of this project on the path: the folder that the editable install put there is taken out first.
BARE = """
import json, os, sys
sys.path = [folder for folder in sys.path if folder and not os.path.isdir(os.path.join(folder, "model", "artifact"))]
try:
    import model
    raise SystemExit("the project is on the path")
except ModuleNotFoundError:
    pass
import mlflow, pandas
frame = pandas.read_json(sys.stdin, orient="split", precise_float=True)
mlflow.set_tracking_uri(sys.argv[1])
print(json.dumps([mlflow.pyfunc.load_model(uri).predict(frame).to_dict("list") for uri in sys.argv[2:]]))
"""


def put_into_production(run: Run, *options: str) -> int:
    version = run("train", *MARKET, *SMALL, *options, "--json").json["version"]
    assert run("promote", "SAMPLE-Open", str(version), "--force", "--reason", "a test").code == 0
    return int(version)


# The command in a process of its own, and what of Keras it has imported.
PREDICT = """
import sys
from flows.cli.main import main
code = main(sys.argv[1:])
print([name for name in ("keras", "tensorflow", "jax", "torch") if name in sys.modules])
sys.exit(code)
"""


@pytest.mark.usefixtures("in_production")
def test_a_forecast_with_lstm_layers_loads_no_training_library(home: Path) -> None:
    from prefect.settings import PREFECT_API_URL

    environment = {**os.environ, "TOMORROW_HOME": str(home), "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, "predict", *MARKET], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "written to the ledger" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.usefixtures("in_production")
def test_a_forecast_is_explained_in_text_json_ledger_and_report(run: Run, home: Path) -> None:
    ask = ("predict", *MARKET, "--explain")
    assert "\n  no explanation on record: only presets like anchored" in run(*ask).out
    assert run(*ask, "--json").json["explanation"] is None

    one = ("--preset", "anchored", "--epochs", "1", "--set", "training.members=1", "--set", "training.patience=null")
    version = run("train", *MARKET, *one, "--json").json["version"]
    assert run("promote", "SAMPLE-Open", str(version), "--force", "--reason", "a test").code == 0
    made = run(*ask, "--json").json
    why = made["explanation"]
    assert made["version"] == version
    assert set(why["factors"]) == {"moves", "direction", "echo", "volume", "network"}
    assert why["usual"] * math.prod(why["factors"].values()) == pytest.approx(why["scale"], rel=1e-9)
    times = why["scale"] / why["usual"]
    assert f"\n  {times:.2f} times its usual width: " in run(*ask).out
    assert "usual width" not in run("predict", *MARKET).out
    rows = Ledger(read_settings({"TOMORROW_HOME": str(home)}).ledger_uri).rows()
    assert [None if row.explanation is None else row.explanation.scale for row in rows] == [None, why["scale"]]
    (report,) = (home / "reports").glob("*.html")
    assert f"{times:.2f} times its usual width" in report.read_text(encoding="utf-8")
    assert run("forecasts", "--json").json["forecasts"][-1]["explanation"] == why


def market(home: Path) -> Prices:
    from datetime import date

    settings = read_settings({"TOMORROW_HOME": str(home)})
    request, now = PriceRequest(ticker="SAMPLE", source="sample", as_of=date(2013, 6, 28)), datetime.now(UTC)
    return read_prices(resolve(request, settings, now), settings, now)


def test_without_a_production_version_it_says_what_to_do(run: Run) -> None:
    missing = run("predict", *MARKET)
    assert (missing.code, missing.out) == (5, "")
    assert "tomorrow train" in missing.err


@pytest.mark.usefixtures("trained")
def test_with_a_version_in_staging_it_says_what_that_waits_for_and_how_to_use_it(run: Run) -> None:
    waiting = run("predict", *MARKET)
    assert (waiting.code, waiting.out) == (5, "")
    assert "version 1 waits in Staging, undecided: FAIL evidence of skill: none: the prices are too few" in waiting.err
    assert "tomorrow promote SAMPLE-Open 1 --to production" in waiting.err


@pytest.mark.usefixtures("in_production")
def test_the_next_session_is_forecast_and_written_to_the_ledger_once(run: Run, home: Path) -> None:
    first, second = (run("predict", *MARKET, "--json").json for _ in range(2))
    assert (first["model"], first["version"], first["ticker"]) == ("SAMPLE-Open", 1, "SAMPLE")
    assert (first["as_of"], first["session"]) == ("2013-06-28", "2013-07-01")
    assert first["naive"] == market(home).column("Close")[-1]
    assert (first["recorded"], second["recorded"]) == (True, False)
    assert first["forecast"] == second["forecast"]
    (low_80, high_80), (low_95, high_95) = first["intervals"]["80"], first["intervals"]["95"]
    assert low_95 < low_80 < first["forecast"] < high_80 < high_95
    assert (first["lower"], first["upper"], first["level"]) == (low_95, high_95, 0.95)
    assert second["intervals"] == first["intervals"]
    quantiles = first["quantiles"]
    assert (quantiles["0.5"], quantiles["0.025"], quantiles["0.975"]) == (first["forecast"], low_95, high_95)
    assert quantiles["0.005"] < low_95 < low_80 == quantiles["0.1"] < high_80 == quantiles["0.9"]
    assert first["naives"].keys() == {"newest_Open", "newest_Close", "drift", "moving_average"}
    assert "late: made after that session opened" in run("predict", *MARKET).out
    (row,) = Ledger(read_settings({"TOMORROW_HOME": str(home)}).ledger_uri).rows()
    assert (row.forecast, row.version, row.fingerprint) == (first["forecast"], 1, market(home).fingerprint)
    assert (row.lower, row.upper, row.level) == (low_95, high_95, 0.95)
    assert {f"{probability:g}": price for probability, price in row.quantiles.items()} == quantiles
    assert row.naive_quantiles.keys() == {"constant_250", "constant_500", "constant_1000"}


@pytest.mark.usefixtures("in_production_with_a_second")
def test_a_newly_promoted_version_is_the_one_that_forecasts(run: Run, home: Path) -> None:
    with clock_at(EVENING):
        old = run("predict", *MARKET, "--json").json
    assert run("promote", "SAMPLE-Open", "2", "--force", "--reason", "a test").code == 0
    new = run("predict", *MARKET, "--json").json
    # The second one is made today, long after its session: it is on record as late.
    assert (old["late"], new["late"]) == (False, True)
    assert (old["version"], new["version"]) == (1, 2)
    assert old["forecast"] != new["forecast"]
    rows = Ledger(read_settings({"TOMORROW_HOME": str(home)}).ledger_uri).rows()
    assert [(row.version, row.forecast) for row in rows] == [(1, old["forecast"]), (2, new["forecast"])]


def test_a_schedule_with_nothing_in_production_records_the_naive_distribution_once_and_has_not_failed(
    run: Run, home: Path
) -> None:
    from flows.predict import predict

    sample = PriceRequest(ticker="SAMPLE", source="sample", as_of=EVENING.date())
    ledger = Ledger(read_settings({"TOMORROW_HOME": str(home)}).ledger_uri)
    with clock_at(EVENING):
        assert run("predict", *MARKET).code == 5
        assert ledger.rows() == ()
        states = [predict(request=sample, or_naive=True, return_state=True) for _ in range(2)]
        first, second = (state.result() for state in states)
        assert [state.name for state in states] == ["Completed", "Completed"]
        assert (first.version, first.created, second.created) == (None, True, False)
        (naive,) = ledger.rows()
        assert naive == first.forecast == second.forecast
        _, quantiles = best_naive_distribution(market(home), "Open")
        assert (naive.model, naive.version, naive.late) == ("SAMPLE-Open", None, False)
        assert list(naive.quantiles.values()) == quantiles.tolist()

        # A version that comes into Production on the same evening forecasts, too; the naive forecast stays.
        put_into_production(run)
        made = predict(request=sample, or_naive=True)
        assert (made.forecast.version, made.created) == (1, True)
        assert run("predict", *MARKET, "--json").json["recorded"] is False
    assert ledger.rows() == (naive, made.forecast)


def test_a_friday_is_followed_by_the_session_after_the_holiday() -> None:
    from datetime import date

    assert ExchangeCalendar("XNYS").next_session(date(2013, 8, 30)) == date(2013, 9, 3)


@pytest.mark.servers
@pytest.mark.usefixtures("in_production")
def test_a_bare_process_and_a_server_give_the_same_number_as_the_flow(run: Run, home: Path, tmp_path: Path) -> None:
    expected = [run("predict", *MARKET, "--json").json["forecast"]]  # of LSTM layers
    put_into_production(run, "--set", "network.cell=peephole")
    expected.append(run("predict", *MARKET, "--json").json["forecast"])
    frame = market(home).frame()
    database = f"sqlite:///{home}/mlflow.db"
    bare = subprocess.run(
        [sys.executable, "-c", BARE, database, "models:/SAMPLE-Open/1", "models:/SAMPLE-Open/2"],
        input=frame.to_json(orient="split", double_precision=15),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert bare.returncode == 0, bare.stderr
    assert [answer["forecast"] for answer in json.loads(bare.stdout)] == [[forecast] for forecast in expected]

    port = free_port()
    command = ["mlflow", "models", "serve", "--model-uri", "models:/SAMPLE-Open/2", "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with serving(command, f"http://127.0.0.1:{port}/ping", tmp_path, MLFLOW_TRACKING_URI=database):
        assert ask(port, {"Open": frame["Open"].tail(5).tolist()}) == pytest.approx(expected[1:], rel=1e-9)


def ask(port: int, columns: dict[str, list[float]]) -> list[float]:
    """What a served model answers to raw prices."""
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations",
        data=json.dumps({"dataframe_records": rows}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return [row["forecast"] for row in json.load(answer)["predictions"]]
