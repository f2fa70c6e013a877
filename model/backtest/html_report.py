"""A backtest as one HTML page; how it looks stands in report.html.j2."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from model.backtest.result import BacktestResult, PresetResult, comparison_rows
from model.evaluation.baselines import naive_label

Metric = tuple[str, str, str]
Row = tuple[Sequence[str], Mapping[str, float]]

# The metrics of the comparison: name, heading, and how a number is written.
METRICS: tuple[Metric, ...] = (
    ("rmse", "RMSE", "${:,.3f}"),
    ("mae", "MAE", "${:,.3f}"),
    ("bias", "bias", "{:+,.3f}"),
    ("skill", "skill", "{:+.4f}"),
    ("mase", "MASE", "{:.3f}"),
    ("rmsse", "RMSSE", "{:.3f}"),
    ("direction", "direction", "{:.1%}"),
    ("dm_naive_p", "DM p", "{:.3f}"),
    ("coverage_80", "80 % held", "{:.1%}"),
    ("coverage_95", "95 % held", "{:.1%}"),
    ("winkler_80", "Winkler 80", "{:,.3f}"),
    ("winkler_95", "Winkler 95", "{:,.3f}"),
    ("crps", "CRPS", "{:,.3f}"),
)
_BY_NAME = {metric[0]: metric for metric in (*METRICS, ("naive_rmse", "naive RMSE", "${:,.3f}"))}
MONTHLY = tuple(_BY_NAME[name] for name in ("rmse", "naive_rmse", "skill", "coverage_80", "coverage_95"))


class ReportTable(NamedTuple):
    """A table of the page, every cell as text; `kinds` are the rows' CSS classes, if they have any."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    kinds: Sequence[str] = ()


def report_page(result: BacktestResult, figures: Mapping[str, bytes], made_with: Mapping[str, str]) -> str:
    """The page as HTML text.

    figures:   name -> PNG
    made_with: more about how the backtest was made, by name
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("model.backtest", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html.j2").render(
        title=f"Backtest of {result.subject}, {result.period}",
        sessions=f"{len(result.reference.sessions):,}",
        origins=len(result.plan.origins),
        verdicts=[verdict(preset) for preset in result.presets],
        comparison=_comparison(result),
        figures={name.replace("-", " "): b64encode(png).decode() for name, png in figures.items()},
        seeds={preset.name: _seeds(preset) for preset in result.presets if len(preset.by_seed) > 1},
        months=[
            (preset.name, naive_label(preset.evaluations[0].best_naive), _months(preset)) for preset in result.presets
        ],
        settings=_settings(result, made_with),
    )


def verdict(preset: PresetResult) -> str:
    """A preset's result in a sentence."""
    metrics = preset.metrics
    word = "beats" if metrics["skill"] > 0 else "does not beat"
    several = f", mean of {len(preset.by_seed)} seeds" if len(preset.by_seed) > 1 else ""
    label = "" if metrics["skill"] > 0 else " (no skill)"
    return (
        f"{preset.name} {word} the best naive forecast{label}: RMSE ${metrics['rmse']:,.3f}{several}, "
        f"naive ${metrics['naive_rmse']:,.3f}, skill {metrics['skill']:+.4f}."
    )


def _comparison(result: BacktestResult) -> ReportTable:
    rows = comparison_rows(result)
    table = _table(["forecast"], [([row.label], row.metrics) for row in rows], METRICS)
    return table._replace(kinds=[row.kind for row in rows])


def _seeds(preset: PresetResult) -> ReportTable:
    rows: list[Row] = [([str(seed)], evaluation.metrics()) for seed, evaluation in preset.by_seed.items()]
    for label, part in (("lowest", "minimum"), ("highest", "maximum"), ("standard deviation", "sd")):
        rows.append(([label], {name: getattr(spread, part) for name, spread in preset.spread.items()}))
    return _table(["seed"], rows, [metric for metric in METRICS if metric[0] in preset.metrics])


def _months(preset: PresetResult) -> ReportTable:
    rows = [([month.month, str(month.sessions)], month.metrics) for month in preset.months]
    return _table(["month", "sessions"], rows, MONTHLY)


def _table(head: Sequence[str], rows: Sequence[Row], metrics: Sequence[Metric]) -> ReportTable:
    """Each row's cells and metrics; a metric that no row has gets no column."""
    shown = [metric for metric in metrics if any(metric[0] in values for _, values in rows)]
    return ReportTable(
        head=[*head, *(heading for _, heading, _ in shown)],
        rows=[[*cells, *_cells(values, shown)] for cells, values in rows],
    )


def _settings(result: BacktestResult, made_with: Mapping[str, str]) -> dict[str, str]:
    plan = result.plan
    config = plan.config
    return {
        "prices": f"{plan.prices.security.ticker} from {plan.prices.source}, {plan.prices.first} to {plan.prices.last}",
        "fingerprint": plan.prices.fingerprint,
        "origins": f"every {config.every}, {len(plan.origins)} of them",
        "fitted anew": f"every {config.refit} origins" if isinstance(config.refit, int) else f"{config.refit}",
        "window": config.window,
        "seeds": ", ".join(map(str, result.presets[0].by_seed)),
        **{f"preset {preset.name}": preset.config.model_dump_json() for preset in result.presets},
        **made_with,
    }


def _cells(metrics: Mapping[str, float], shown: Sequence[Metric]) -> list[str]:
    return [form.format(metrics[name]) if name in metrics else "\N{EN DASH}" for name, _, form in shown]
