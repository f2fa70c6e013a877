"""The data sets of a run are its training part and its test period, under digests that miss no change."""

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from model.config import EvaluationConfig
from model.evaluation.split import Split, split_prices
from model.market.prices import COLUMNS
from tasks.tracking.datasets import price_dataset
from tasks.tracking.run import TrackedRun, start_run
from tests.market import make_prices

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset


def datasets(run: TrackedRun, split: Split) -> "dict[str, Dataset]":
    """Log the split, and read back its data sets by their contexts."""
    run.log_datasets(split)
    inputs = run.client.get_run(run.run_id).inputs
    assert inputs is not None
    return {tag.value: entry.dataset for entry in inputs.dataset_inputs for tag in entry.tags}


def test_training_part_and_test_period_are_data_sets_under_our_digest(run: TrackedRun, split: Split) -> None:
    logged = datasets(run, split)
    assert sorted(logged) == ["test", "training"]
    assert logged["training"].digest == split.train.fingerprint[:36]
    dataset = logged["test"]
    # The digest is written out here, so that it cannot change unnoticed.
    digest = hashlib.sha256(b"TEST")
    digest.update(split.prices.sessions[-21:].astype("<i8").tobytes())
    digest.update(split.actual.tobytes())
    assert dataset.digest == digest.hexdigest()[:36]
    assert dataset.name == "TEST prices"
    assert json.loads(dataset.source) == {"uri": "made by a test"}
    assert json.loads(dataset.profile or "")["num_rows"] == 21


def test_one_price_in_the_last_row_changes_the_tests_digest_and_not_the_trainings(
    client: "MlflowClient", experiment: str, split: Split
) -> None:
    values = split.prices.values.copy()
    values[-1, COLUMNS.index("Open")] += 0.01
    prices = replace(split.prices, values=values)
    changed = split_prices(prices, EvaluationConfig(test_sessions=21), lookback=10)
    before = datasets(start_run(client, experiment, "before"), split)
    after = datasets(start_run(client, experiment, "after"), changed)
    assert before["test"].digest != after["test"].digest
    assert before["training"].digest == after["training"].digest


def test_a_data_set_tells_columns_and_days(split: Split) -> None:
    dataset = price_dataset(split.train)
    columns = json.loads(dataset.schema or "")["mlflow_colspec"]
    assert [(column["name"], column["type"]) for column in columns] == [
        ("Date", "datetime"),
        *((name, "double") for name in COLUMNS),
    ]
    profile = json.loads(dataset.profile or "")
    assert (profile["first"], profile["last"]) == (str(split.train.first), str(split.train.last))


@pytest.mark.parametrize(
    ("source", "origin", "kind", "shown"),
    [
        ("yahoo", "https://query1.example/v8/META", "http", {"url": "https://query1.example/v8/META"}),
        ("csv", "a.csv, b.csv", "local", {"uri": "a.csv, b.csv"}),
        ("sample", "made", "code", {"tags": {"source": "sample", "origin": "made"}}),
    ],
)
def test_its_source_is_named_as_mlflow_can_show_it(
    source: str, origin: str, kind: str, shown: dict[str, object], recwarn: pytest.WarningsRecorder
) -> None:
    dataset = price_dataset(replace(make_prices(60), source=source, origin=origin))
    assert (dataset.source_type, json.loads(dataset.source)) == (kind, shown)
    assert not list(recwarn)
