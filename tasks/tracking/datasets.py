"""Prices as MLflow data sets: which numbers a run was trained on, and which it was tested on."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from model.evaluation.split import Split
from model.market.prices import COLUMNS, Prices

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

# MLflow keeps this much of a digest; the whole one is a tag of the run.
DIGEST_LENGTH = 36


def dataset_inputs(split: Split) -> "list[DatasetInput]":
    """Give the training part and the test period, in MLflow's contexts `training` and `test`.

    Their digests are of our own: MLflow's do not notice a changed last row among many, nor a changed day.
    """
    rows = len(split.train)
    prices = split.prices
    test = replace(prices, sessions=prices.sessions[rows:].copy(), values=prices.values[rows:].copy())
    return [_dataset_input(split.train, "training"), _dataset_input(test, "test")]


def _dataset_input(prices: Prices, context: str) -> "DatasetInput":
    from mlflow.entities import Dataset, DatasetInput, InputTag

    kind, source = _source(prices)
    columns = [{"type": "datetime", "name": "Date", "required": True}]
    columns += [{"type": "double", "name": name, "required": True} for name in COLUMNS]
    profile = {
        "num_rows": len(prices),
        "num_elements": int(prices.values.size),
        "first": prices.first.isoformat(),
        "last": prices.last.isoformat(),
    }
    dataset = Dataset(
        name=f"{prices.security.ticker} prices",
        digest=prices.fingerprint[:DIGEST_LENGTH],
        source_type=kind,
        source=json.dumps(source),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps(profile),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", context)])


def _source(prices: Prices) -> tuple[str, dict[str, object]]:
    """Name the source in one of the ways that MLflow's pages can show."""
    if prices.origin.startswith(("http://", "https://")):
        return "http", {"url": prices.origin}
    if prices.source == "csv":
        return "local", {"uri": prices.origin}
    return "code", {"tags": {"source": prices.source, "origin": prices.origin}}
