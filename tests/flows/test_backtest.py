"""`tomorrow backtest`, from months and presets to a report; killed, and continued."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prefect.settings import PREFECT_API_URL

from flows.runs.progress import Pace
from model.backtest.plan import BacktestConfig, plan_backtest
from model.config import ForecasterConfig
from tests.flows.conftest import Run
from tests.market import make_prices
from tests.project import program

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

SAMPLE = ("--source", "sample", "--as-of", "2013-12-31")
MONTHS = ("--from", "2013-03", "--to", "2013-08")
TINY = ("--lookback", "5", "--set", "network.units=[2]", "--epochs", "2")
PLANNED = 12  # results: six months, two seeds


def children(client: "MlflowClient") -> "list[MlflowRun]":
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, "tags.`backtest.kind` = 'origin'", max_results=1000))


def figures(answer: dict[str, Any]) -> Any:
    """All that was measured, without what differs from run to run: times and addresses."""
    return {name: answer[name] for name in ("presets", "forecasts", "test", "origins", "seeds", "best_naive")}


def test_presets_months_and_seeds_are_told_beside_the_naive_forecasts(run: Run, client: "MlflowClient") -> None:
    options = (*SAMPLE, *TINY, "--from", "2013-11", "--to", "2013-12", "--refit", "never", "--seeds", "2", "--json")
    done = run("backtest", *options, "--presets", "tutorial,anchored", "--jobs", "2")
    assert done.code == 0
    answer = done.json
    assert (answer["ticker"], answer["column"], answer["from"], answer["to"]) == (
        "SAMPLE",
        "Open",
        "2013-11",
        "2013-12",
    )
    assert (answer["origins"], answer["test"]["sessions"], answer["seeds"]) == (2, 41, [0, 1])
    assert (answer["computed"], answer["resumed"]) == (8, 0)
    assert list(answer["presets"]) == ["tutorial", "anchored"]
    for preset in answer["presets"].values():
        assert preset["skill"] == pytest.approx(1 - preset["rmse"] / preset["naive_rmse"])
        assert [(month["month"], month["sessions"]) for month in preset["months"]] == [("2013-11", 20), ("2013-12", 21)]
        assert preset["spread"]["rmse"]["minimum"] == min(seed["rmse"] for seed in preset["seeds"])
        assert preset["crps_skill"] == pytest.approx(1 - preset["crps"] / preset["naive_crps"], abs=0.01)
        assert all(month["crps"] > 0 for month in preset["months"])
    naive = [row["rmse"] for row in answer["forecasts"] if row["kind"] == "naive"]
    assert answer["presets"]["tutorial"]["naive_rmse"] == min(naive)
    page = Path(answer["report"].removeprefix("file://")).read_text(encoding="utf-8")
    assert "Backtest of SAMPLE Open, 2013-11 to 2013-12" in page
    assert client.get_run(answer["run_id"]).info.status == "FINISHED"
    assert "fit 4 of 4" in done.err


def test_killed_in_the_middle_it_goes_on_and_comes_to_the_same(
    run: Run, home: Path, client: "MlflowClient", empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("backtest", *SAMPLE, *TINY, *MONTHS, "--refit", "2", "--seeds", "2", "--json")
    command = [sys.executable, "-m", "flows.cli.main", *options, "--jobs", "2"]
    # A server of its own would outlive it.
    environment = {**os.environ, "TOMORROW_HOME": str(home), "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    with (tmp_path / "err").open("wb") as err, program(command, environment, err) as process:
        for _ in range(1200):
            if any(child.info.status == "FINISHED" for child in children(client)) or process.poll() is not None:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    finished = [child for child in children(client) if child.info.status == "FINISHED"]
    assert 0 < len(finished) < PLANNED, (tmp_path / "err").read_text()

    resumed = run(*options, "--jobs", "2").json
    assert (resumed["resumed"], resumed["computed"]) == (len(finished), PLANNED - len(finished))
    after = children(client)
    done = [
        (child.data.params["origin"], child.data.params["seed"]) for child in after if child.info.status == "FINISHED"
    ]
    assert len(done) == len(set(done)) == PLANNED
    assert {child.info.status for child in after} <= {"FINISHED", "KILLED"}
    assert {child.info.run_id for child in finished} <= {child.info.run_id for child in after}

    again = run(*options, "--jobs", "1").json  # two would be started for nothing
    assert (again["resumed"], again["computed"], again["run_id"]) == (PLANNED, 0, resumed["run_id"])
    assert figures(again) == figures(resumed)

    # Neither the interruption nor the number of processes changes a digit.
    undisturbed_home = shutil.copytree(empty_home, tmp_path / "undisturbed")
    monkeypatch.setenv("TOMORROW_HOME", str(undisturbed_home))
    undisturbed = run(*options, "--jobs", "1").json
    assert undisturbed["computed"] == PLANNED
    assert figures(undisturbed) == figures(resumed)


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_ends_all_of_it(home: Path, client: "MlflowClient", tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flows.cli.main", "backtest", *SAMPLE, *TINY[:-1], "100000", "--jobs", "1"]
    environment = {**os.environ, "TOMORROW_HOME": str(home)}
    with (tmp_path / "err").open("wb") as err, program(command, environment, err) as process:
        for _ in range(600):
            time.sleep(0.5)
            if children(client) or process.poll() is not None:
                break
        # A terminal sends it to every process, the Prefect server and those that fit among them.
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130, (tmp_path / "err").read_text()
    (child,) = children(client)
    assert child.info.status == "KILLED"
    assert client.get_run(child.data.tags["mlflow.parentRunId"]).info.status == "KILLED"
    assert "Traceback" not in (tmp_path / "err").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--presets", "tutorial,nonsense"), "preset 'nonsense': no preset of that name"),
        (("--presets", ","), "at least one, with commas between several"),
        (("--from", "2013"), "--from"),
        (("--refit", "sometimes"), "each, never, or a number N"),
        (("--refit", "0"), "each, never, or a number N"),
        (("--window", "sliding"), "window"),
        (("--seeds", "0"), "seeds"),
        (("--jobs", "0"), "at least one process"),
        (("--every", "week"), "every"),
    ],
)
def test_what_cannot_be_is_told_before_anything_starts(run: Run, options: tuple[str, ...], said: str) -> None:
    outcome = run("backtest", *SAMPLE, *options, "--json")
    assert outcome.code == 2
    assert said in outcome.json["error"]["message"]


@pytest.mark.parametrize(
    ("months", "code", "said"),
    [
        (("--from", "2013-11", "--to", "2014-02"), 2, "no completed session in 2014-01, 2014-02"),
        (("--from", "2012-01", "--to", "2012-02"), 3, "0 sessions to train on before 2012-01"),
    ],
)
def test_months_that_the_prices_do_not_have_are_named(
    run: Run, client: "MlflowClient", months: tuple[str, ...], code: int, said: str
) -> None:
    outcome = run("backtest", *SAMPLE, *TINY, *months, "--jobs", "1", "--json")
    assert outcome.code == code
    assert said in outcome.json["error"]["message"]
    assert children(client) == []


def test_the_time_left_is_in_proportion_to_what_is_left() -> None:
    config = BacktestConfig(first="2020-01", last="2020-04")
    fits = plan_backtest(make_prices(500), config, [ForecasterConfig()]).fits
    seconds = iter([0.0, 100.0, 100.0])
    pace = Pace(fits, clock=lambda: next(seconds))
    assert pace.left == "time left: not known yet"
    pace.count(fits[0])
    left = 100 * sum(fit.effort for fit in fits[1:]) / fits[0].effort
    assert pace.left == f"about {int(left) // 60} min {round(left) % 60:02d} s left"
