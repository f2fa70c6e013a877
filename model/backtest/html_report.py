"""A backtest as one HTML page that needs nothing but itself: tables, figures within it, plain CSS, no script."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

from model.backtest.result import BacktestResult, PresetResult, Standing, standings
from model.evaluation.baselines import naive_label

# Figures of the comparison: the metric's name, its heading, how it is written.
COLUMNS = (
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
MONTHLY = ("rmse", "naive_rmse", "skill", "coverage_80", "coverage_95")
HEADINGS = {name: heading for name, heading, _ in COLUMNS} | {"naive_rmse": "naive RMSE"}
FORMATS = {name: form for name, _, form in COLUMNS} | {"naive_rmse": "${:,.3f}"}

CSS = """
body { font: 14px/1.5 system-ui, sans-serif; color: #202124; margin: 2rem auto; max-width: 78rem; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
p.quiet, caption, dt { color: #5f6368 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6rem 0 }
div.wide { overflow-x: auto }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #e3e3e3; white-space: nowrap }
th:first-child, td:first-child { text-align: left; padding-left: 0 }
thead th { border-bottom: 2px solid #202124 } caption { text-align: left }
tr.preset td:first-child { font-weight: bold } td.none { color: #b00020 }
img { width: 100%; max-width: 1000px; display: block; height: auto; margin: .5rem 0 }
dl { display: grid; grid-template-columns: max-content auto; gap: .1rem 1rem } dd { margin: 0; overflow-wrap: anywhere }
@media print { body { max-width: none; margin: 0 } h2 { break-after: avoid } img { break-inside: avoid } }
"""

MEANING = """
Every forecast was made with what was known at the close of the session before, by a network that was fitted on \
sessions before its period alone. Skill is 1 &minus; RMSE / RMSE of the best naive forecast on the same sessions: \
above 0 is better than naive. DM p is the two-sided p-value of the Diebold-Mariano test against that naive forecast. \
&ldquo;Held&rdquo; is the share of prices within the intervals. A preset's figures are the means over its seeds.
"""


def report_page(result: BacktestResult, figures: Mapping[str, bytes], made_with: Mapping[str, str]) -> str:
    """The page.

    figures:   name -> PNG
    made_with: what else there is to know of how it was made, by name
    """
    title = f"Backtest of {result.subject}, {result.period}"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="quiet">{len(result.reference.sessions):,} sessions, one forecast each, '
        f"{len(result.plan.origins)} origins</p>",
        "".join(f"<p>{escape(verdict(preset))}</p>" for preset in result.presets),
        f"<h2>All sessions</h2>{_comparison(result)}<p class='quiet'>{MEANING.strip()}</p>",
        *(_figure(name, figures[name]) for name in figures),
        "".join(_seeds(preset) for preset in result.presets if len(preset.by_seed) > 1),
        "".join(_months(preset) for preset in result.presets),
        f"<h2>How it was made</h2>{_settings(result, made_with)}",
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def verdict(preset: PresetResult) -> str:
    """What a preset came to, in a sentence."""
    metrics = preset.metrics
    word = "beats" if metrics["skill"] > 0 else "does not beat"
    several = f", mean of {len(preset.by_seed)} seeds" if len(preset.by_seed) > 1 else ""
    label = "" if metrics["skill"] > 0 else " (no skill)"
    return (
        f"{preset.name} {word} the best naive forecast{label}: RMSE ${metrics['rmse']:,.3f}{several}, "
        f"naive ${metrics['naive_rmse']:,.3f}, skill {metrics['skill']:+.4f}."
    )


def _comparison(result: BacktestResult) -> str:
    rows = standings(result)
    shown = [column for column in COLUMNS if any(column[0] in row.metrics for row in rows)]
    head = ["forecast", *(heading for _, heading, _ in shown)]
    return _table(head, [_standing(row, shown) for row in rows], classes=[row.kind for row in rows])


def _standing(row: Standing, shown: Sequence[tuple[str, str, str]]) -> list[str]:
    return [row.label, *(_told(row.metrics, name, form) for name, _, form in shown)]


def _seeds(preset: PresetResult) -> str:
    shown = [column for column in COLUMNS if column[0] in preset.metrics]
    rows = [
        [str(seed), *(_told(evaluation.metrics(), name, form) for name, _, form in shown)]
        for seed, evaluation in preset.by_seed.items()
    ]
    for label, part in (("lowest", "minimum"), ("highest", "maximum"), ("standard deviation", "sd")):
        values = {name: getattr(spread, part) for name, spread in preset.spread.items()}
        rows.append([label, *(_told(values, name, form) for name, _, form in shown)])
    head = ["seed", *(heading for _, heading, _ in shown)]
    return f"<h2>{escape(preset.name)}: seed by seed</h2>{_table(head, rows)}"


def _months(preset: PresetResult) -> str:
    shown = [name for name in MONTHLY if any(name in month.metrics for month in preset.months)]
    rows = [
        [month.month, str(month.sessions), *(_told(month.metrics, name, FORMATS[name]) for name in shown)]
        for month in preset.months
    ]
    head = ["month", "sessions", *(HEADINGS[name] for name in shown)]
    naive = naive_label(preset.evaluations[0].best_naive)
    return (
        f"<h2>{escape(preset.name)}: month by month</h2>"
        f"<p class='quiet'>Beside {escape(naive)}, the best naive forecast over all months.</p>{_table(head, rows)}"
    )


def _settings(result: BacktestResult, made_with: Mapping[str, str]) -> str:
    plan = result.plan
    config = plan.config
    rows = {
        "prices": f"{plan.prices.security.ticker} from {plan.prices.source}, {plan.prices.first} to {plan.prices.last}",
        "fingerprint": plan.prices.fingerprint,
        "origins": f"every {config.every}, {len(plan.origins)} of them",
        "fitted anew": f"every {config.refit} origins" if isinstance(config.refit, int) else f"{config.refit}",
        "window": config.window,
        "seeds": ", ".join(map(str, result.presets[0].by_seed)),
        **{f"preset {preset.name}": preset.config.model_dump_json() for preset in result.presets},
        **made_with,
    }
    return (
        "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows.items()) + "</dl>"
    )


def _figure(name: str, png: bytes) -> str:
    return f'<img alt="{escape(name.replace("-", " "))}" src="data:image/png;base64,{b64encode(png).decode()}">'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], classes: Sequence[str] = ()) -> str:
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = []
    for at, row in enumerate(rows):
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        lines.append(f'<tr class="{classes[at]}">{cells}</tr>' if classes else f"<tr>{cells}</tr>")
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _told(metrics: Mapping[str, float], name: str, form: str) -> str:
    return form.format(metrics[name]) if name in metrics else "\N{EN DASH}"
