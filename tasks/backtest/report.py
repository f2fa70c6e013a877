"""The results of a backtest in its MLflow run: figures, metrics, tables, and a page that shows all of them."""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from model.artifact.distribution import PROBABILITIES, quantile_column
from model.backtest.further_result import verdict_ahead
from model.backtest.html_report import METRICS, report_page, verdict, written
from model.backtest.result import BacktestResult, PresetResult, comparison_rows
from model.figures.backtest import backtest_figures
from model.market.money import Money
from tasks.tracking.experiment import shown
from tasks.tracking.provenance import code_version, library_versions
from tasks.tracking.run import TrackedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow.entities import Metric

REPORT_FILE = "report.html"
COMPARISON_FILE = "comparison.csv"
METRICS_FILE = "metrics.json"
# The metrics that MLflow shows as a line over the months.
BY_MONTH = ("crps_skill", "skill")
SPREAD = ("crps", "crps_skill", "rmse", "mae", "skill")
LIBRARIES = ("keras", "numpy", "tensorflow")


def log_report(run: TrackedRun, result: BacktestResult) -> None:
    """Log the results: figures, tables, metrics, the page, and the note above the run."""
    figures = {name: _png(figure) for name, figure in backtest_figures(result).items()}
    with TemporaryDirectory() as folder:
        for name, png in figures.items():
            Path(folder, f"{name}.png").write_bytes(png)
        run.client.log_artifacts(run.run_id, folder, "figures")
    for preset in result.presets:
        run.client.log_text(run.run_id, forecasts_csv(preset), f"forecasts-{preset.name}.csv")
        run.log_metrics({f"{preset.name}/{name}": value for name, value in shown(preset.metrics).items()})
        spread = preset.spread
        run.log_metrics({f"{preset.name}/{name}_sd": spread[name].sd for name in SPREAD if name in spread})
        run.client.log_batch(run.run_id, metrics=list(_monthly(preset)))
    for ahead, judged in result.further.items():
        run.log_metrics({f"in_{ahead}/{name}": value for name, value in shown(judged.metrics()).items()})
    run.client.log_text(run.run_id, comparison_csv(result), COMPARISON_FILE)
    run.client.log_text(run.run_id, metrics_json(result), METRICS_FILE)
    made_with = {"code": code_version(), **{name: library_versions().get(name, "") for name in LIBRARIES}}
    page = report_page(result, figures, made_with)
    run.client.log_text(run.run_id, page, REPORT_FILE)
    run.log_note(backtest_note(result))


def comparison_csv(result: BacktestResult) -> str:
    """The comparison of all forecasts as CSV: CRPS first, RMSE second, then every other metric of the page."""
    names = [name for name, _, _ in METRICS]
    rows = comparison_rows(result)
    return _csv(
        {
            "name": [row.name for row in rows],
            "kind": [row.kind for row in rows],
            **{name: [row.metrics.get(name, "") for row in rows] for name in names},
        }
    )


def metrics_json(result: BacktestResult) -> str:
    """Every metric of each preset: the mean over its seeds, and how far these stray; null where it is not finite."""
    return json.dumps(
        {
            preset.name: {
                "metrics": {name: _finite(value) for name, value in preset.metrics.items()},
                "sd": {name: _finite(spread.sd) for name, spread in preset.spread.items()},
            }
            for preset in result.presets
        },
        indent=2,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def forecasts_csv(preset: PresetResult) -> str:
    """Every forecast of a preset as CSV, one row per session.

    Its columns: the actual price; CRPS, forecast and quantiles of each seed; CRPS and forecasts of the naive and
    statistical methods.
    """
    first = preset.evaluations[0]
    columns: dict[str, Sequence[object]] = {
        "session": [str(session) for session in first.sessions],
        "actual": first.actual.tolist(),
    }
    for seed, evaluation in preset.by_seed.items():
        own = {"": evaluation.forecast}
        if evaluation.intervals:
            own = {"_crps": evaluation.crps_of(evaluation.quantiles), **own}
            own |= {f"_{quantile_column(p)}": evaluation.quantiles[:, at] for at, p in enumerate(PROBABILITIES)}
        columns |= {f"seed_{seed}{name}": values.tolist() for name, values in own.items()}
    for name, quantiles in {**first.naive_quantiles, **first.statistical_quantiles}.items():
        columns[f"{name}_crps"] = first.crps_of(quantiles).tolist()
    for name, values in {**first.naive, **first.statistical}.items():
        columns[name] = values.tolist()
    return _csv(columns)


def _csv(columns: Mapping[str, Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def backtest_note(result: BacktestResult) -> str:
    """The note that MLflow shows above the run, in Markdown; verdicts come first, since MLflow folds the rest."""
    plan = result.plan
    lines = [
        f"**Backtest of {result.subject}, {result.period}**: {len(plan.origins)} origins, "
        f"{len(result.reference.sessions):,} sessions.",
        "",
        *(f"- {verdict(preset)}" for preset in result.presets),
        *(f"- {verdict_ahead(ahead, judged)}" for ahead, judged in result.further.items()),
        *(f"- {remark}" for remark in result.remarks),
        "",
        f"The whole report is `{REPORT_FILE}` among the artifacts.",
        "",
        "| forecast | CRPS | RMSE | CRPS skill | RMSE skill |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(_row(row.label, row.metrics, result.reference.money) for row in comparison_rows(result)),
    ]
    return "\n".join(lines) + "\n"


def _row(label: str, metrics: Mapping[str, float], money: Money) -> str:
    cells = (written(metrics[name], form, money) if name in metrics else "" for name, _, form in METRICS[:4])
    return f"| {label} | {' | '.join(cells)} |"


def _monthly(preset: PresetResult) -> "Iterator[Metric]":
    """Metrics by month; the month's number is both step and time, so that MLflow keeps their order."""
    from mlflow.entities import Metric

    for step, month in enumerate(preset.months):
        for name in (name for name in BY_MONTH if name in month.metrics):
            yield Metric(f"{preset.name}/month/{name}", month.metrics[name], step, step)


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
