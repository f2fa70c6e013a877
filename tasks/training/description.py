"""The note that MLflow shows above a run: what it is, how good it is, how to use it."""

from model.config import ForecasterConfig
from model.evaluation.baselines import naive_label
from model.evaluation.evaluation import Evaluation
from model.evaluation.metrics import mae, rmse
from model.evaluation.split import Split


def run_note(split: Split, config: ForecasterConfig, evaluation: Evaluation, model_uri: str) -> str:
    """Write the note of a training run, in Markdown."""
    prices = split.prices
    security = prices.security
    name = f"{security.name} ({security.ticker})" if security.name else security.ticker
    verdict = "beats" if evaluation.skill > 0 else "does **not** beat"
    # MLflow's page folds a note after some five lines: the verdict comes first.
    note = f"""\
**Forecasts the {config.column} of {name} one session ahead**, preset `{config.preset}`, from the \
{config.lookback} sessions before.

In the test period it {verdict} the best naive forecast (skill {evaluation.skill:+.3f}):

| forecast | RMSE | MAE |
| --- | ---: | ---: |
| this model | ${evaluation.rmse:,.3f} | ${evaluation.mae:,.3f} |
"""
    for naive, values in evaluation.naive.items():
        figures = f"${rmse(evaluation.actual, values):,.3f} | ${mae(evaluation.actual, values):,.3f}"
        note += f"| naive: {naive_label(naive)} | {figures} |\n"
    note += f"""
- trained on {len(split.train):,} sessions, {split.train.first} to {split.train.last}
- tested on {split.n_test:,}, {split.first_test} to {split.last_test}, which nothing was fitted on
- prices: {prices.source}, {prices.origin}; kept with this run as `prices.parquet`
"""
    if prices.notes:
        note += "\nNoticed about the prices:\n\n" + "".join(f"- {line}\n" for line in prices.notes)
    note += f"""
Raw prices in, dollars out (`frame` has a row a session, oldest first, and Yahoo's columns):

```python
import mlflow

mlflow.pyfunc.load_model("{model_uri}").predict(frame)
```
"""
    return note
