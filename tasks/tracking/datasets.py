"""Prices as MLflow data sets: what a run was trained on, and what it was tested on."""

import json
from typing import TYPE_CHECKING

from model.evaluation.split import Split
from model.market.prices import Prices

if TYPE_CHECKING:
    from mlflow.entities import Dataset, DatasetInput

# Characters of a digest that MLflow keeps; the whole one is a tag of the run.
DIGEST_LENGTH = 36


def dataset_inputs(split: Split) -> "list[DatasetInput]":
    """The training part and the test period, in MLflow's contexts `training` and `test`."""
    from mlflow.entities import DatasetInput, InputTag
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

    parts = {"training": price_dataset(split.train), "test": dataset_of_test(split)}
    return [DatasetInput(part, [InputTag(MLFLOW_DATASET_CONTEXT, context)]) for context, part in parts.items()]


def dataset_of_test(split: Split) -> "Dataset":
    """The test period as a data set."""
    rows, prices = len(split.train), split.prices
    return price_dataset(prices.rows(rows, len(prices)))


def price_dataset(prices: Prices) -> "Dataset":
    """Prices as a data set.

    Its digest is our own: MLflow's stays the same if the last of many rows, or a day, changes.
    """
    from mlflow.data.dataset_source_registry import get_dataset_source_from_json
    from mlflow.data.pandas_dataset import from_pandas
    from mlflow.entities import Dataset

    kind, source = _source(prices)
    described = from_pandas(
        prices.frame().reset_index(),
        source=get_dataset_source_from_json(json.dumps(source), kind),
        name=f"{prices.security.ticker} prices",
        digest=prices.fingerprint[:DIGEST_LENGTH],
    ).to_dict()
    days = {"first": prices.first.isoformat(), "last": prices.last.isoformat()}
    return Dataset(**{**described, "profile": json.dumps({**json.loads(described["profile"]), **days})})


def _source(prices: Prices) -> tuple[str, dict[str, object]]:
    """The kind and description of the source, in a form that MLflow's pages can show."""
    if prices.origin.startswith(("http://", "https://")):
        return "http", {"url": prices.origin}
    if prices.source == "csv":
        return "local", {"uri": prices.origin}
    return "code", {"tags": {"source": prices.source, "origin": prices.origin}}
