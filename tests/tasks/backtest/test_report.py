"""The report of a backtest stands with its run."""

from pathlib import Path

from model.backtest.result import assemble
from tasks.backtest.parent_run import KEY
from tasks.backtest.report import REPORT_FILE, log_report
from tasks.backtest.runs import open_backtest
from tasks.tracking.client import Tracking
from tests.tasks.backtest.planned import carry_out, plan


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
