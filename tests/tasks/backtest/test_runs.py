"""A backtest in MLflow: a parent, a child for each result, and nothing computed twice."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from model.backtest.fit import Fitted, period_split
from model.backtest.plan import BacktestConfig, Fit, Key, Plan, plan_backtest
from model.backtest.result import assemble
from model.config import ForecasterConfig
from model.errors import ConfigurationError
from model.evaluation.evaluation import Evaluation, evaluate
from model.market.prices import Prices
from tasks.backtest.cache_key import COMPUTED_BY, origin_keys, plan_key
from tasks.backtest.evaluation_file import evaluation_json, read_evaluation
from tasks.backtest.parent_run import KEY, log_plan
from tasks.backtest.report import REPORT_FILE, log_report
from tasks.backtest.runs import PARENT, TAKEN_FROM, BacktestRuns, open_backtest
from tasks.settings import Settings
from tasks.tracking import provenance
from tasks.tracking.client import Tracking, open_tracking
from tasks.tracking.provenance import code_digest
from tests.market import changed_from, make_prices
from tests.project import ROOT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PRICES = make_prices(400)
LAST_OF_MARCH = int(np.searchsorted(PRICES.sessions, np.datetime64("2020-04-01")))


def plan(prices: Prices = PRICES, presets: tuple[str, ...] = ("tutorial",), **options: Any) -> Plan:
    config = BacktestConfig.model_validate({"first": "2020-01", "last": "2020-03", "seeds": 2, **options})
    return plan_backtest(prices, config, [ForecasterConfig(preset=name) for name in presets])


def fitted(made: Plan, fit: Fit) -> Fitted:
    """A fit that says yesterday's Close and its seed in cents, with intervals of a dollar around."""
    evaluations = {}
    for key, origin in zip(fit.keys, fit.origins, strict=True):
        split = period_split(made.prices, origin)
        said = evaluate(lambda known, n: known.column("Close")[-n:] + fit.seed / 100, split, "Open")
        evaluations[key] = replace(said, intervals={0.8: (said.forecast - 1, said.forecast + 1)})
    return Fitted(evaluations=evaluations, losses=(0.5, 0.1 + 0.2), fit_seconds=1.5)


def carry_out(runs: BacktestRuns, most: int | None = None) -> list[Key]:
    """Carry out what is pending, or some of it; what was computed."""
    computed: list[Key] = []
    for fit in runs.pending()[:most]:
        runs.start(fit)
        runs.finish(fit, fitted(runs.plan, fit))
        computed += fit.keys
    return computed


def children(client: "MlflowClient", parent: str) -> "list[Run]":
    experiment = client.get_run(parent).info.experiment_id
    return list(client.search_runs([experiment], f"tags.`{PARENT}` = '{parent}'", max_results=1000))


def same(one: Evaluation, two: Evaluation) -> bool:
    return evaluation_json(one) == evaluation_json(two)


def test_every_result_is_a_child_with_its_metrics(tracking: Tracking) -> None:
    made = plan()
    with open_backtest(tracking, made, {"asked_by": "a test"}) as runs:
        log_plan(runs.parent, made)
        assert len(carry_out(runs)) == 6
        parent = runs.parent.run_id
    run = tracking.client.get_run(parent)
    assert (run.info.status, run.data.tags["asked_by"]) == ("FINISHED", "a test")
    assert run.data.params["backtest.first"] == "2020-01"
    assert run.data.params["tutorial.training.epochs"] == "100"
    found = children(tracking.client, parent)
    assert {child.info.status for child in found} == {"FINISHED"}
    assert {child.info.run_name for child in found} == {
        f"2020-0{month} tutorial seed {seed}" for month in (1, 2, 3) for seed in (0, 1)
    }
    for child in found:
        key = Key("tutorial", int(child.data.params["seed"]), child.data.params["origin"])
        assert child.data.metrics["rmse"] == runs.done[key].rmse
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


def test_a_result_that_cannot_be_read_is_computed_again(tracking: Tracking) -> None:
    made = plan(seeds=1)
    with open_backtest(tracking, made, {}) as runs:
        carry_out(runs)
    spoilt = next(
        run for run in children(tracking.client, runs.parent.run_id) if run.data.params["origin"] == "2020-02"
    )
    tracking.client.log_text(spoilt.info.run_id, '{"sessions": []}', "evaluation.json")
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


def test_prices_after_a_period_are_no_part_of_its_key() -> None:
    known, more = origin_keys(plan()), origin_keys(plan(prices=changed_from(PRICES, LAST_OF_MARCH)))
    assert known == more
    changed = origin_keys(plan(prices=changed_from(PRICES, LAST_OF_MARCH - 1)))
    assert {key.origin for key in known if known[key] != changed[key]} == {"2020-03"}


@pytest.mark.parametrize(
    "options", [{"window": "sliding:1"}, {"refit": "never"}, {"presets": ("other",)}], ids=["window", "refit", "preset"]
)
def test_whatever_a_forecast_depends_on_is_a_part_of_its_key(options: dict[str, Any]) -> None:
    keys, others = origin_keys(plan()), origin_keys(plan(**options))
    assert len(set(keys.values())) == len(keys)
    assert keys[Key("tutorial", 0, "2020-03")] not in others.values()


def test_the_code_that_forecasts_is_a_part_of_the_key_and_what_draws_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "model"
    shutil.copytree(ROOT / "model", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "project_folder", lambda: tmp_path)

    def digest() -> str:
        code_digest.cache_clear()
        return code_digest(COMPUTED_BY)

    before = digest()
    (copy / "figures" / "training.py").write_text("", encoding="utf-8")
    assert digest() == before
    with (copy / "artifact" / "inference.py").open("a", encoding="utf-8") as code:
        code.write("# another\n")
    assert digest() != before
    code_digest.cache_clear()


def test_an_evaluation_survives_its_file_to_the_last_bit() -> None:
    made = plan(seeds=1)
    (evaluation, *_) = fitted(made, made.fits[0]).evaluations.values()
    evaluation = replace(evaluation, forecast=np.nextafter(evaluation.forecast, np.inf))
    back = read_evaluation(evaluation_json(evaluation))
    assert np.array_equal(back.sessions, evaluation.sessions)
    assert np.array_equal(back.forecast, evaluation.forecast)
    assert back.metrics() == evaluation.metrics()


def test_the_report_stands_among_the_parents_artifacts(tracking: Tracking) -> None:
    made = plan()
    with open_backtest(tracking, made, {}) as runs:
        carry_out(runs)
        result = assemble(made, runs.done)
        log_report(runs.parent, result)
    run = tracking.client.get_run(runs.parent.run_id)
    files = {file.path for file in tracking.client.list_artifacts(run.info.run_id)}
    assert {REPORT_FILE, "forecasts-tutorial.csv", "figures"} <= files
    assert run.data.metrics["tutorial/rmse"] == result.presets[0].metrics["rmse"]
    assert run.data.tags["mlflow.note.content"].startswith("**Backtest of TEST Open, 2020-01 to 2020-03**")
    assert KEY in run.data.tags
    months = tracking.client.get_metric_history(run.info.run_id, "tutorial/month/skill")
    assert [metric.value for metric in sorted(months, key=lambda metric: metric.step)] == [
        month.metrics["skill"] for month in result.presets[0].months
    ]
    table = Path(
        tracking.client.download_artifacts(run.info.run_id, "forecasts-tutorial.csv", str(tracking.settings.home))
    )
    lines = table.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("session,actual,seed_0,seed_0_lower_80,seed_0_upper_80,seed_1,")
    assert len(lines) == 1 + 65
