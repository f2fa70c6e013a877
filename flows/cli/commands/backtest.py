"""What `tomorrow backtest` answers: JSON for programs, a table for people."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from model.backtest.html_report import verdict
from model.backtest.result import PresetResult, Standing, standings
from tasks.settings import Settings

if TYPE_CHECKING:
    from flows.backtest import BacktestReport

# Of each seed and of each month; everything stands with the preset.
BRIEF = ("rmse", "mae", "naive_rmse", "naive_mae", "skill", "coverage_80", "coverage_95")
SHOWN = (
    ("rmse", "RMSE", "${:.3f}"),
    ("mae", "MAE", "${:.3f}"),
    ("skill", "skill", "{:+.4f}"),
    ("coverage_80", "80 % held", "{:.1%}"),
    ("coverage_95", "95 % held", "{:.1%}"),
)


def backtest_json(report: "BacktestReport") -> dict[str, Any]:
    """The object of `tomorrow backtest --json`."""
    result = report.result
    plan, prices = result.plan, report.fetched.prices
    first, last = plan.origins[0], plan.origins[-1]
    return {
        "run_id": report.run_id,
        "run_url": report.run_url,
        "report": report.report_uri,
        "ticker": prices.security.ticker,
        "column": plan.column,
        "source": prices.source,
        "prices": {
            "fingerprint": prices.fingerprint,
            "sessions": len(prices),
            "first": prices.first.isoformat(),
            "last": prices.last.isoformat(),
            "notes": list(prices.notes),
            **report.fetched.as_json(),
        },
        "from": plan.config.first,
        "to": plan.config.last,
        **plan.config.model_dump(mode="json", exclude={"first", "last", "seeds"}),
        "seeds": list(result.presets[0].by_seed),
        "origins": len(plan.origins),
        "test": {
            "sessions": plan.n_sessions,
            "first": plan.prices.day(first.start).isoformat(),
            "last": plan.prices.day(last.stop - 1).isoformat(),
        },
        "remarks": list(result.remarks),
        "best_naive": result.reference.best_naive,
        "presets": {preset.name: _preset_json(preset) for preset in result.presets},
        "forecasts": [{"name": row.name, "kind": row.kind, **_finite(row.metrics)} for row in standings(result)],
        "resumed": report.resumed,
        "computed": report.computed,
        "jobs": report.jobs,
        "fit_seconds": report.fit_seconds,
        "seconds": report.seconds,
    }


def backtest_text(report: "BacktestReport", settings: Settings) -> str:
    """What `tomorrow backtest` prints."""
    result, config = report.result, report.result.plan.config
    rows = standings(result)
    shown = [column for column in SHOWN if any(column[0] in row.metrics for row in rows)]
    table = [["", *(heading for _, heading, _ in shown)], *(_cells(row, shown) for row in rows)]
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    refit = f"every {config.refit} origins" if isinstance(config.refit, int) else config.refit
    lines = [
        f"{result.subject}, {result.period}: {len(result.reference.sessions)} sessions, "
        f"{len(result.plan.origins)} origins.",
        f"  refit {refit}, window {config.window}, {config.seeds} seed{'s' if config.seeds > 1 else ''}; "
        f"{report.computed} results computed" + (f", {report.resumed} there before" if report.resumed else ""),
        "",
        *(
            "  "
            + row[0].ljust(widths[0])
            + "".join(cell.rjust(width + 2) for cell, width in zip(row[1:], widths[1:], strict=True))
            for row in table
        ),
        "",
        *(f"  {verdict(preset)}" for preset in result.presets),
        *(_spread_line(preset) for preset in result.presets if len(preset.by_seed) > 1),
        *(f"  {remark}" for remark in result.remarks),
        "",
        f"  report   {report.report_uri.removeprefix('file://')}",
        f"  look     {report.run_url}",
    ]
    if not settings.tracking_uri.startswith("http"):
        lines.append("           (once MLflow's pages are up: make mlflow)")
    return "\n".join(lines)


def _preset_json(preset: PresetResult) -> dict[str, Any]:
    spread = preset.spread
    return {
        **_finite(preset.metrics),
        "seeds": [{"seed": seed, **_brief(evaluation.metrics())} for seed, evaluation in preset.by_seed.items()],
        "spread": {name: _finite(asdict(spread[name])) for name in BRIEF if name in spread},
        "ensemble": _finite(preset.ensemble.metrics()),
        "months": [
            {"month": month.month, "sessions": month.sessions, **_brief(month.metrics)} for month in preset.months
        ],
    }


def _brief(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return _finite({name: metrics[name] for name in BRIEF if name in metrics})


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no infinity, which the skill is against a naive forecast without any error."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _cells(row: Standing, shown: list[tuple[str, str, str]]) -> list[str]:
    return [row.label, *(form.format(row.metrics[name]) if name in row.metrics else "" for name, _, form in shown)]


def _spread_line(preset: PresetResult) -> str:
    spread = preset.spread["rmse"]
    return (
        f"  {preset.name} from seed to seed: RMSE ${spread.minimum:,.3f} to ${spread.maximum:,.3f}, "
        f"standard deviation ${spread.sd:,.3f}."
    )
