"""An evaluation as it is kept with its run: every number to the last bit, in little room."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from model.config import EvaluationConfig
from model.evaluation.distribution import no_distributions
from model.evaluation.evaluation import Evaluation, evaluate
from model.evaluation.split import split_prices
from tasks.backtest.evaluation_file import evaluation_json, read_evaluation
from tests.distributions import around
from tests.market import make_prices


@pytest.fixture
def judged() -> Evaluation:
    split = split_prices(make_prices(120), EvaluationConfig(test_sessions=21), lookback=5)
    said = evaluate(lambda known, n: known.column("Close")[-n:], split, "Open")
    quantiles = around(said.forecast / 3, 1.0, 2.0)
    quantiles[3] = np.nan
    return replace(
        said,
        quantiles=quantiles,
        statistical={"auto_ets": said.forecast / 7},
        statistical_quantiles={"garch_t": around(said.forecast / 7, 1.0, 2.0)},
    )


def flat(evaluation: Evaluation) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    parts = {field.name: getattr(evaluation, field.name) for field in fields(Evaluation)}
    named = {
        f"{name}/{key}": inner for name, part in parts.items() if isinstance(part, dict) for key, inner in part.items()
    }
    return {name: part for name, part in parts.items() if not isinstance(part, dict)} | named


def test_an_evaluation_is_read_as_it_was_written(judged: Evaluation) -> None:
    again = read_evaluation(json.loads(json.dumps(evaluation_json(judged))))
    assert flat(again).keys() == flat(judged).keys()
    for name, values in flat(judged).items():
        np.testing.assert_array_equal(flat(again)[name], values)
    assert again.metrics() == judged.metrics()


def test_a_horizon_is_kept_where_it_is_not_the_next_session(judged: Evaluation) -> None:
    assert "horizon" not in evaluation_json(judged)
    week = replace(judged, horizon=5)
    assert read_evaluation(json.loads(json.dumps(evaluation_json(week)))).horizon == 5


def test_where_there_is_no_distribution_none_is_kept(judged: Evaluation) -> None:
    bare = replace(judged, quantiles=no_distributions(21), statistical_quantiles={})
    kept = evaluation_json(bare)
    assert kept["quantiles"] is None
    assert read_evaluation(kept).intervals == {}


def test_distributions_take_half_the_room_of_a_list_of_numbers(judged: Evaluation) -> None:
    kept = evaluation_json(judged)
    assert len(json.dumps(kept["quantiles"])) < 0.6 * len(json.dumps(judged.quantiles.tolist()))


@pytest.mark.parametrize(
    "spoilt", [{"quantiles": "AAAA"}, {"quantiles": 5}, {"naive_quantiles": None}, {"forecast": []}]
)
def test_what_is_no_evaluation_is_not_read(judged: Evaluation, spoilt: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        read_evaluation({**evaluation_json(judged), **spoilt})


def test_what_was_written_before_there_were_distributions_is_not_read(judged: Evaluation) -> None:
    old = evaluation_json(judged)
    del old["quantiles"]
    with pytest.raises(KeyError):
        read_evaluation(old)
