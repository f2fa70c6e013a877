"""A backtest as one HTML page; how it looks stands in report.html.j2."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from model.backtest.further_result import verdict_ahead
from model.backtest.result import BacktestResult, PresetResult, comparison_rows
from model.evaluation.baselines import naive_label
from model.market.money import Money

Metric = tuple[str, str, str]
Row = tuple[Sequence[str], Mapping[str, float]]

# Scores in the prices' unit, written with it or without: they need as many digits as the prices.
MONEY, PLAIN, SIGNED = "money", "money without its unit", "money with its sign"

# The metrics of the comparison: name, heading, and how a number is written.
METRICS: tuple[Metric, ...] = (
    ("crps", "CRPS", MONEY),
    ("rmse", "RMSE", MONEY),
    ("crps_skill", "CRPS skill", "{:+.4f}"),
    ("skill", "RMSE skill", "{:+.4f}"),
    ("log_score", "log score", "{:.3f}"),
    ("winkler_80", "Winkler 80", PLAIN),
    ("winkler_95", "Winkler 95", PLAIN),
    ("coverage_80", "80 % held", "{:.1%}"),
    ("coverage_95", "95 % held", "{:.1%}"),
    ("pit_ks", "PIT KS", "{:.3f}"),
    ("dm_naive_crps_p", "CRPS DM p", "{:.3f}"),
    ("dm_naive_p", "RMSE DM p", "{:.3f}"),
    ("mae", "MAE", MONEY),
    ("bias", "bias", SIGNED),
    ("mase", "MASE", "{:.3f}"),
    ("rmsse", "RMSSE", "{:.3f}"),
    ("direction", "direction", "{:.1%}"),
)
_NAIVE: tuple[Metric, ...] = (("naive_crps", "naive CRPS", MONEY), ("naive_rmse", "naive RMSE", MONEY))
_BY_NAME = {each[0]: each for each in (*METRICS, *_NAIVE)}
_MONTHLY = ("crps", "naive_crps", "rmse", "naive_rmse", "crps_skill", "skill", "coverage_80", "coverage_95")
MONTHLY = tuple(_BY_NAME[name] for name in _MONTHLY)


def metric(name: str) -> Metric:
    """A metric's name, its heading and how it is written."""
    return _BY_NAME[name]


def written(value: float, form: str, money: Money) -> str:
    """A metric as text, in the form that METRICS names."""
    if form == MONEY:
        return money.score(value)
    if form in (PLAIN, SIGNED):
        return f"{value:{'+' if form == SIGNED else ''},.{money.digits + 1}f}"
    return form.format(value)


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
    money = result.reference.money
    return environment.get_template("report.html.j2").render(
        title=f"Backtest of {result.subject}, {result.period}",
        sessions=f"{len(result.reference.sessions):,}",
        origins=len(result.plan.origins),
        unit=money.in_words,
        verdicts=[
            *(verdict(preset) for preset in result.presets),
            *(verdict_ahead(ahead, judged) for ahead, judged in result.further.items()),
        ],
        comparison=_comparison(result),
        evidence=any(name.startswith("evidence-") for name in figures),
        figures={name.replace("-", " "): b64encode(png).decode() for name, png in figures.items()},
        seeds={preset.label: _seeds(preset, money) for preset in result.presets if len(preset.by_seed) > 1},
        months=[(preset.label, _best(preset), _months(preset, money)) for preset in result.presets],
        settings=_settings(result, made_with),
    )


def verdict(preset: PresetResult) -> str:
    """A preset's result in a sentence: that of its distributions first, if it has any."""
    metrics, money = preset.metrics, preset.evaluations[0].money
    several = f", mean of {len(preset.by_seed)} seeds" if len(preset.by_seed) > 1 else ""
    errors = (
        f"RMSE {money.score(metrics['rmse'])}{several}, naive {money.score(metrics['naive_rmse'])}, "
        f"skill {metrics['skill']:+.4f}"
    )
    if "crps_skill" not in metrics:
        return f"{preset.label} {_beats(metrics['skill'], 'forecast')}: {errors}."
    return (
        f"{preset.label} {_beats(metrics['crps_skill'], 'distribution')}: "
        f"CRPS {money.score(metrics['crps'])}{several}, naive {money.score(metrics['naive_crps'])}, "
        f"skill {metrics['crps_skill']:+.4f}. As a point forecast it {_beats(metrics['skill'], 'one')}: {errors}."
    )


def _beats(skill: float, what: str) -> str:
    return f"beats the best naive {what}" if skill > 0 else f"does not beat the best naive {what} (no skill)"


def _best(preset: PresetResult) -> str:
    """What the months are compared with."""
    reference = preset.evaluations[0]
    quantiles = reference.best_naive_distribution
    besides = f", and {naive_label(quantiles)}, the best naive distribution" if quantiles else ""
    return f"{naive_label(reference.best_naive)}, the best naive forecast over all months{besides}"


def _comparison(result: BacktestResult) -> ReportTable:
    rows = comparison_rows(result)
    money = result.reference.money
    table = _table(["forecast"], [([row.label], row.metrics) for row in rows], METRICS, money)
    return table._replace(kinds=[row.kind.replace(" ", "-") for row in rows])


def _seeds(preset: PresetResult, money: Money) -> ReportTable:
    rows: list[Row] = [([str(seed)], evaluation.metrics()) for seed, evaluation in preset.by_seed.items()]
    for label, part in (("lowest", "minimum"), ("highest", "maximum"), ("standard deviation", "sd")):
        rows.append(([label], {name: getattr(spread, part) for name, spread in preset.spread.items()}))
    return _table(["seed"], rows, [each for each in METRICS if each[0] in preset.metrics], money)


def _months(preset: PresetResult, money: Money) -> ReportTable:
    rows = [([month.month, str(month.sessions)], month.metrics) for month in preset.months]
    return _table(["month", "sessions"], rows, MONTHLY, money)


def _table(head: Sequence[str], rows: Sequence[Row], metrics: Sequence[Metric], money: Money) -> ReportTable:
    """Each row's cells and metrics; a metric that no row has gets no column."""
    shown = [metric for metric in metrics if any(metric[0] in values for _, values in rows)]
    return ReportTable(
        head=[*head, *(heading for _, heading, _ in shown)],
        rows=[[*cells, *_cells(values, shown, money)] for cells, values in rows],
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
        **{f"preset {preset.label}": preset.config.model_dump_json() for preset in result.presets},
        **made_with,
    }


def _cells(metrics: Mapping[str, float], shown: Sequence[Metric], money: Money) -> list[str]:
    return [written(metrics[name], form, money) if name in metrics else "\N{EN DASH}" for name, _, form in shown]
