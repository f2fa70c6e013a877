"""The report of a backtest stands with its run."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from model.artifact.distribution import PROBABILITIES
from model.backtest.result import assemble
from model.evaluation.distribution import CRPS_WEIGHTS
from tasks.backtest.parent_run import KEY
from tasks.backtest.report import REPORT_FILE, backtest_note, comparison_csv, forecasts_csv, log_report
from tasks.backtest.runs import open_backtest
from tasks.tracking.client import Tracking
from tests.tasks.backtest.planned import carry_out, fitted, plan


def test_the_report_stands_among_the_parents_artifacts(tracking: Tracking) -> None:
    made = plan()
    with open_backtest(tracking, made, {}) as runs:
        carry_out(runs)
        result = assemble(made, runs.done)
        log_report(runs.parent, result)
    run = tracking.client.get_run(runs.parent.run_id)
    files = {file.path for file in tracking.client.list_artifacts(run.info.run_id)}
    assert {REPORT_FILE, "forecasts-tutorial.csv", "comparison.csv", "figures"} <= files
    assert run.data.metrics["tutorial/crps"] == result.presets[0].metrics["crps"]
    assert "tutorial/crps_skill_sd" in run.data.metrics
    assert run.data.metrics["tutorial/rmse"] == result.presets[0].metrics["rmse"]
    assert "tutorial/pit_ks" not in run.data.metrics
    written = Path(tracking.client.download_artifacts(run.info.run_id, "metrics.json", str(tracking.settings.home)))
    every = json.loads(written.read_text(encoding="utf-8"))["tutorial"]
    assert every["metrics"] == result.presets[0].metrics
    assert every["sd"]["pit_ks"] == result.presets[0].spread["pit_ks"].sd
    assert run.data.tags["mlflow.note.content"].startswith("**Backtest of TEST Open, 2020-01 to 2020-03**")
    assert KEY in run.data.tags
    months = tracking.client.get_metric_history(run.info.run_id, "tutorial/month/skill")
    assert [metric.value for metric in sorted(months, key=lambda metric: metric.step)] == [
        month.metrics["skill"] for month in result.presets[0].months
    ]
    table = Path(
        tracking.client.download_artifacts(run.info.run_id, "forecasts-tutorial.csv", str(tracking.settings.home))
    )
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    assert len(rows) == 65
    assert list(rows[0])[:5] == ["session", "actual", "seed_0_crps", "seed_0", "seed_0_quantile_0.005"]
    assert {"seed_1_quantile_0.995", "constant_500_crps", "newest_Close"} <= rows[0].keys()


def test_anybody_can_compute_the_crps_again_from_the_table() -> None:
    made = plan()
    (preset,) = assemble(
        made, {key: one for fit in made.fits for key, one in fitted(made, fit).evaluations.items()}
    ).presets
    rows = list(csv.DictReader(io.StringIO(forecasts_csv(preset))))
    for row in rows:
        quantiles = np.array([float(row[f"seed_0_quantile_{p:g}"]) for p in PROBABILITIES])
        error = float(row["actual"]) - quantiles
        losses = np.maximum(error * PROBABILITIES, error * (np.array(PROBABILITIES) - 1))
        assert 2 * CRPS_WEIGHTS @ losses == pytest.approx(float(row["seed_0_crps"]))
    mean = np.mean([float(row["seed_0_crps"]) for row in rows])
    assert mean == pytest.approx(preset.by_seed[0].crps)


def test_the_comparison_is_a_table_with_the_crps_first_and_the_rmse_second() -> None:
    made = plan()
    result = assemble(made, {key: one for fit in made.fits for key, one in fitted(made, fit).evaluations.items()})
    rows = list(csv.DictReader(io.StringIO(comparison_csv(result))))
    assert list(rows[0])[:4] == ["name", "kind", "crps", "rmse"]
    assert float(rows[0]["crps"]) == result.presets[0].metrics["crps"]
    by_name = {row["name"]: row for row in rows[2:]}
    assert by_name["newest_Close"]["crps"] == ""
    assert by_name["constant_250"]["kind"] == "naive distribution"
    assert "| naive: the newest Close with its last 250 changes | $" in backtest_note(result)
    assert "| naive: the newest Close |  | $" in backtest_note(result)
