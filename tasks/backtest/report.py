"""What a backtest leaves with its MLflow run: figures, metrics, tables and a page that shows all of it."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from model.backtest.html_report import report_page, verdict
from model.backtest.result import BacktestResult, PresetResult, comparison_rows
from model.figures.backtest import backtest_figures
from tasks.tracking.provenance import code_version, library_versions
from tasks.tracking.run import TrackedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow.entities import Metric

REPORT_FILE = "report.html"
# The figures whose course over the months MLflow shows as a line.
BY_MONTH = ("rmse", "naive_rmse", "skill")
LIBRARIES = ("keras", "numpy", "tensorflow")


def log_report(run: TrackedRun, result: BacktestResult) -> None:
    """Log the results: figures, tables, metrics, the page, and the note that shows first."""
    figures = {name: _png(figure) for name, figure in backtest_figures(result).items()}
    with TemporaryDirectory() as folder:
        for name, png in figures.items():
            Path(folder, f"{name}.png").write_bytes(png)
        run.client.log_artifacts(run.run_id, folder, "figures")
    for preset in result.presets:
        run.client.log_text(run.run_id, forecasts_csv(preset), f"forecasts-{preset.name}.csv")
        run.log_metrics({f"{preset.name}/{name}": value for name, value in preset.metrics.items()})
        spread = preset.spread
        run.log_metrics({f"{preset.name}/{name}_sd": spread[name].sd for name in ("rmse", "mae", "skill")})
        run.client.log_batch(run.run_id, metrics=list(_monthly(preset)))
    made_with = {"code": code_version(), **{name: library_versions().get(name, "") for name in LIBRARIES}}
    page = report_page(result, figures, made_with)
    run.client.log_text(run.run_id, page, REPORT_FILE)
    run.log_note(backtest_note(result))


def forecasts_csv(preset: PresetResult) -> str:
    """Every forecast of a preset as CSV: what happened, each seed's forecasts and intervals, the naive ones."""
    first = preset.evaluations[0]
    columns: dict[str, Iterator[object]] = {
        "session": map(str, first.sessions),
        "actual": iter(first.actual.tolist()),
    }
    for seed, evaluation in preset.by_seed.items():
        columns[f"seed_{seed}"] = iter(evaluation.forecast.tolist())
        for level, (lower, upper) in sorted(evaluation.intervals.items()):
            columns[f"seed_{seed}_lower_{100 * level:g}"] = iter(lower.tolist())
            columns[f"seed_{seed}_upper_{100 * level:g}"] = iter(upper.tolist())
    for name, values in {**first.naive, **first.statistical}.items():
        columns[name] = iter(values.tolist())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def backtest_note(result: BacktestResult) -> str:
    """Write the note that MLflow shows above the run, in Markdown; the verdicts come first, since it is folded."""
    plan = result.plan
    lines = [
        f"**Backtest of {result.subject}, {result.period}**: {len(plan.origins)} origins, "
        f"{len(result.reference.sessions):,} sessions.",
        "",
        *(f"- {verdict(preset)}" for preset in result.presets),
        *(f"- {remark}" for remark in result.remarks),
        "",
        f"All of it is in `{REPORT_FILE}` among the artifacts.",
        "",
        "| forecast | RMSE | MAE | skill |",
        "| --- | ---: | ---: | ---: |",
        *(_row(row.label, row.metrics) for row in comparison_rows(result)),
    ]
    return "\n".join(lines) + "\n"


def _row(label: str, metrics: Mapping[str, float]) -> str:
    return f"| {label} | ${metrics['rmse']:,.3f} | ${metrics['mae']:,.3f} | {metrics['skill']:+.4f} |"


def _monthly(preset: PresetResult) -> "Iterator[Metric]":
    """Each month as a step, counted as MLflow's time, too, so that the order is the months'."""
    from mlflow.entities import Metric

    for step, month in enumerate(preset.months):
        for name in BY_MONTH:
            yield Metric(f"{preset.name}/month/{name}", month.metrics[name], step, step)


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
