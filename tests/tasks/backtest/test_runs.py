"""A backtest in MLflow: a parent, a child for each result, and nothing computed twice."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from mlflow.artifacts import load_dict

from model.backtest.plan import Key
from model.backtest.result import assemble
from model.errors import ConfigurationError
from tasks.backtest.cache_key import plan_key
from tasks.backtest.parent_run import log_plan
from tasks.backtest.report import REPORT_FILE, log_report
from tasks.backtest.runs import TAKEN_FROM, BacktestRuns, open_backtest
from tasks.ledger.kept_files import KeptFiles
from tasks.settings import Settings
from tasks.tracking.client import Tracking, open_tracking
from tasks.tracking.experiment import SHOWN
from tasks.tracking.run_inputs import PRICES_FILE
from tests.project import ROOT
from tests.tasks.backtest.planned import carry_out, children, plan, same


def test_every_result_is_a_child_with_its_metrics(tracking: Tracking) -> None:
    made = plan()
    with open_backtest(tracking, made, {"asked_by": "a test"}) as runs:
        log_plan(runs.parent, tracking.settings, made)
        assert len(carry_out(runs)) == 6
        parent = runs.parent.run_id
    run = tracking.client.get_run(parent)
    assert (run.info.status, run.data.tags["asked_by"]) == ("FINISHED", "a test")
    assert run.data.params["backtest.first"] == "2020-01"
    assert KeptFiles(tracking.settings.ledger_uri).digests(f"runs:/{parent}", PRICES_FILE)
    assert run.data.params["tutorial.training.epochs"] == "100"
    found = children(tracking.client, parent)
    assert {child.info.status for child in found} == {"FINISHED"}
    assert {child.info.run_name for child in found} == {
        f"2020-0{month} tutorial seed {seed}" for month in (1, 2, 3) for seed in (0, 1)
    }
    for child in found:
        key = Key("tutorial", int(child.data.params["seed"]), child.data.params["origin"])
        judged = runs.done[key].metrics()
        assert child.data.metrics == {name: judged[name] for name in SHOWN}
        assert child.data.params["fit.first"] == "2019-01-01"
    assert runs.fit_seconds == 9.0


def test_what_is_done_is_not_done_again(tracking: Tracking) -> None:
    made = plan()
    with open_backtest(tracking, made, {}) as runs:
        first = carry_out(runs)
    with open_backtest(tracking, made, {}) as again:
        assert (carry_out(again), again.resumed) == ([], 6)
    assert again.parent.run_id == runs.parent.run_id
    assert len(children(tracking.client, runs.parent.run_id)) == len(first)
    for key in first:
        assert same(runs.done[key], again.done[key])


@pytest.mark.servers
def test_through_a_server_it_is_the_same(mlflow_server: Settings) -> None:
    tracking, made = open_tracking(mlflow_server), plan(seeds=1)
    with open_backtest(tracking, made, {}) as runs:
        carry_out(runs, most=1)
    with open_backtest(tracking, made, {}) as again:
        assert (again.resumed, len(carry_out(again))) == (1, 2)
        log_report(again.parent, assemble(made, again.done))
    assert again.parent.run_id == runs.parent.run_id
    assert REPORT_FILE in {file.path for file in tracking.client.list_artifacts(again.parent.run_id)}


def test_a_killed_backtest_goes_on_where_it_was(tracking: Tracking) -> None:
    made = plan()
    # A process that is killed closes nothing.
    killed = open_backtest(tracking, made, {})
    runs = killed.__enter__()
    done = carry_out(runs, most=2)
    runs.start(runs.pending()[0])
    left_open = [run for run in children(tracking.client, runs.parent.run_id) if run.info.status == "RUNNING"]
    assert len(left_open) == 1
    assert tracking.client.get_run(runs.parent.run_id).info.status == "RUNNING"

    with open_backtest(tracking, made, {}) as again:
        computed = carry_out(again)
    assert again.parent.run_id == runs.parent.run_id
    assert sorted(done + computed) == sorted(key for fit in made.fits for key in fit.keys)
    assert tracking.client.get_run(left_open[0].info.run_id).info.status == "KILLED"
    statuses = [run.info.status for run in children(tracking.client, again.parent.run_id)]
    assert sorted(statuses) == ["FINISHED"] * 6 + ["KILLED"]
    assert tracking.client.get_run(again.parent.run_id).info.status == "FINISHED"


def test_of_a_fit_that_is_half_done_the_other_half_is_left(tracking: Tracking) -> None:
    made = plan(refit="never", seeds=1)
    with open_backtest(tracking, made, {}) as runs:
        carry_out(runs)
        lost = next(
            run for run in children(tracking.client, runs.parent.run_id) if run.data.params["origin"] == "2020-02"
        )
        tracking.client.delete_run(lost.info.run_id)
    with open_backtest(tracking, made, {}) as again:
        (fit,) = again.pending()
        assert [origin.name for origin in fit.origins] == ["2020-02"]
        assert fit.stop == made.fits[0].stop


def test_another_backtest_takes_over_what_it_shares(tracking: Tracking) -> None:
    with open_backtest(tracking, plan(), {}) as runs:
        carry_out(runs)
    wider = plan(presets=("tutorial", "other"), first="2019-12")
    with open_backtest(tracking, wider, {}) as again:
        computed = carry_out(again)
    assert again.parent.run_id != runs.parent.run_id
    assert sorted(computed) == sorted(
        [Key("tutorial", seed, "2019-12") for seed in (0, 1)]
        + [Key("other", seed, month) for seed in (0, 1) for month in ("2019-12", "2020-01", "2020-02", "2020-03")]
    )
    found = children(tracking.client, again.parent.run_id)
    taken = [run.data.tags[TAKEN_FROM] for run in found if TAKEN_FROM in run.data.tags]
    assert sorted(taken) == sorted(run.info.run_id for run in children(tracking.client, runs.parent.run_id))
    assert len(found) == 16
    assert all(same(again.done[key], runs.done[key]) for key in runs.done)


def _cut(found: dict[str, object]) -> dict[str, object]:
    return {**found, "sessions": []}


def _forged(found: dict[str, object]) -> dict[str, object]:
    """As if it had known everything."""
    return {**found, "forecast": found["actual"]}


@pytest.mark.parametrize("change", [_cut, _forged])
def test_a_result_that_was_not_written_here_is_computed_again(
    tracking: Tracking, change: Callable[[dict[str, object]], dict[str, object]]
) -> None:
    made = plan(seeds=1)
    with open_backtest(tracking, made, {}) as runs:
        carry_out(runs)
    spoilt = next(
        run for run in children(tracking.client, runs.parent.run_id) if run.data.params["origin"] == "2020-02"
    )
    found = load_dict(f"{spoilt.info.artifact_uri}/evaluation.json")
    tracking.client.log_dict(spoilt.info.run_id, change(found), "evaluation.json")
    with open_backtest(tracking, made, {}) as again:
        assert carry_out(again) == [Key("tutorial", 0, "2020-02")]


@pytest.mark.parametrize(("end", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_whatever_ends_it_early_closes_what_is_open(tracking: Tracking, end: type[BaseException], status: str) -> None:
    opened: list[BacktestRuns] = []

    def begin() -> None:
        with open_backtest(tracking, plan(), {}) as runs:
            opened.append(runs)
            runs.start(runs.pending()[0])
            raise end

    with pytest.raises(end):
        begin()
    parent = opened[0].parent.run_id
    (child,) = children(tracking.client, parent)
    assert (child.info.status, tracking.client.get_run(parent).info.status) == (status, status)


def test_one_backtest_is_carried_out_by_one_process(tracking: Tracking) -> None:
    holder = """
import sys
from pathlib import Path
from tasks.system.lock import locked
from tasks.settings import Settings
from tasks.tracking.client import open_tracking
with locked(Settings(home=Path(sys.argv[1])), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""
    made = plan()
    name = f"backtest-{plan_key(made)[:16]}"
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tracking.settings.home), name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with (
            pytest.raises(ConfigurationError, match="another process holds it"),
            open_backtest(tracking, made, {}),
        ):
            pass
        process.kill()
