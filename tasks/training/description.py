"""The note that MLflow shows above a run: what it is, how good it is, how to use it."""

import math
from collections.abc import Iterator

from model.config import ForecasterConfig
from model.evaluation.baselines import naive_label
from model.evaluation.evaluation import Evaluation
from model.evaluation.split import Split
from model.market.money import Money
from model.presets import preset_label

# How many lines of the prices' notes are shown, and how many characters of each: MLflow cuts a note at 8,000 bytes.
MOST_NOTES, LONGEST_NOTE = 15, 300


def run_note(split: Split, config: ForecasterConfig, evaluation: Evaluation, model_uri: str) -> str:
    """The note of a training run, in Markdown."""
    prices = split.prices
    security = prices.security
    name = f"{security.name} ({security.ticker})" if security.name else security.ticker
    in_unit = f" in {evaluation.money.in_words}" if evaluation.unit else ""
    # MLflow's page folds a note after about five lines, so the verdict comes first.
    note = f"""\
**Forecasts the {config.column} of {name} one session ahead**, preset `{preset_label(config)}`, from the \
{config.lookback} sessions before.

{_verdict(evaluation)}

| | CRPS | RMSE | MAE |
| --- | ---: | ---: | ---: |
"""
    note += "".join(
        f"| {label} | {' | '.join(_score(figure, evaluation.money) for figure in figures)} |\n"
        for label, figures in _rows(evaluation)
    )
    note += f"""
- trained on {len(split.train):,} sessions, {split.train.first} to {split.train.last}
- tested on {split.n_test:,} later sessions, {split.first_test} to {split.last_test}, not used for fitting
- prices: {prices.source}, {prices.origin}; kept with this run as `prices.parquet`
"""
    if config.series:
        columns = ", ".join(f"`{column}`" for each in config.series for column in each.columns)
        note += f"- other series: {columns}, further columns of `frame`, each as it was known at a session's close\n"
    if prices.notes:
        shown = [
            line if len(line) <= LONGEST_NOTE else f"{line[:LONGEST_NOTE]}..." for line in prices.notes[:MOST_NOTES]
        ]
        more = [f"and {len(prices.notes) - MOST_NOTES} more"] if len(prices.notes) > MOST_NOTES else []
        note += "\nNoticed about the prices:\n\n" + "".join(f"- {line}\n" for line in (*shown, *more))
    note += f"""
Raw prices in, the next session's price{in_unit} out (`frame` has one row per session, in any order if it has dates, \
and Yahoo's columns):

```python
import mlflow

mlflow.pyfunc.load_model("{model_uri}").predict(frame)
```
"""
    return note


def _verdict(evaluation: Evaluation) -> str:
    """A sentence on whether it beats the naive forecasts: first its distribution, if it has one, then its median."""
    found = {"point forecast": ("RMSE", evaluation.skill)}
    if math.isfinite(evaluation.crps_skill):
        found = {"distribution": ("CRPS", evaluation.crps_skill), **found}
    parts = [
        f"its {kind} {'beats' if skill > 0 else 'does **not** beat'} the best naive one ({measure} skill {skill:+.3f})"
        for kind, (measure, skill) in found.items()
    ]
    return f"In the test period {', and '.join(parts)}."


def _rows(evaluation: Evaluation) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """The rows of the table: label, and (CRPS, RMSE, MAE); NaN where a forecast has none."""
    metrics = evaluation.metrics()
    yield "this model", (metrics.get("crps", math.nan), metrics["rmse"], metrics["mae"])
    for name in evaluation.naive_quantiles:
        if f"{name}_crps" in metrics:
            yield f"naive: {naive_label(name)}", (metrics[f"{name}_crps"], math.nan, math.nan)
    for name in evaluation.naive:
        yield f"naive: {naive_label(name)}", (math.nan, metrics[f"{name}_rmse"], metrics[f"{name}_mae"])


def _score(figure: float, money: Money) -> str:
    return money.score(figure) if math.isfinite(figure) else ""
