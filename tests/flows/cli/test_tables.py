"""The table of a training: the distribution's score first, then the errors of its median, each beside what is naive."""

from types import SimpleNamespace
from typing import cast

from flows.cli.commands.train import _errors
from flows.cli.result import rendered
from flows.train import TrainReport
from model.config import EvaluationConfig
from model.evaluation.split import split_prices
from tests.market import make_prices

METRICS = {
    "rmse": 2.5,
    "mae": 2.0,
    "naive_rmse": 2.0,
    "naive_mae": 1.5,
    "skill": -0.25,
    "newest_Close_rmse": 2.0,
    "newest_Close_mae": 1.5,
    "bias": 0.1,
    "crps": 1.25,
    "naive_crps": 1.5,
    "crps_skill": 1 / 6,
    "constant_250_crps": 1.5,
}


def cells(metrics: dict[str, float]) -> list[list[str]]:
    """The words and figures of each line."""
    split = split_prices(make_prices(60), EvaluationConfig(), 5)
    report = SimpleNamespace(split=split, results=SimpleNamespace(metrics=metrics))
    lines = rendered(_errors(cast("TrainReport", report)), terminal=False).splitlines()
    return [[part.strip() for part in line.split("  ") if part.strip()] for line in lines]


def test_crps_comes_before_rmse_and_mae() -> None:
    head, *rows = cells(METRICS)
    assert head[1:] == ["CRPS", "RMSE", "MAE"]
    assert rows == [
        ["the forecast", "$1.250", "$2.500", "$2.000"],
        ["naive: the newest Close with its last 250 changes", "$1.500"],
        ["naive: the newest Close", "$2.000", "$1.500"],
        ["skill against the best naive one", "+0.167", "-0.250"],
    ]


def test_without_distributions_the_errors_stand_there_alone() -> None:
    rows = cells({name: value for name, value in METRICS.items() if "crps" not in name})
    assert rows[1] == ["the forecast", "$2.500", "$2.000"]
    assert rows[-1] == ["skill against the best naive one", "-0.250"]
