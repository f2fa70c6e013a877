"""The note of a run: the distribution beside the naive ones first, then the errors of its median."""

from dataclasses import replace

import numpy as np
import pytest

from model.config import EvaluationConfig
from model.evaluation.baselines import naive_distributions
from model.evaluation.evaluation import Evaluation
from model.evaluation.split import split_prices
from tasks.training.description import run_note
from tests.distributions import around
from tests.market import make_prices
from tests.tasks.tracking.given import CONFIG, evaluation_of

SPLIT = split_prices(make_prices(400), EvaluationConfig(), CONFIG.lookback)


def judged(half_80: float, half_95: float) -> Evaluation:
    """Forecasts around what happened, with intervals so wide to each side."""
    points = evaluation_of(SPLIT)
    known = SPLIT.prices.rows(0, len(SPLIT.prices) - 1)
    quantiles = around(points.actual, half_80, half_95)
    return replace(points, quantiles=quantiles, naive_quantiles=naive_distributions(known, CONFIG.column, SPLIT.n_test))


@pytest.mark.parametrize(("half_80", "half_95", "verdict"), [(0.2, 0.4, "beats"), (30.0, 60.0, "does **not** beat")])
def test_the_verdict_begins_with_the_distribution(half_80: float, half_95: float, verdict: str) -> None:
    evaluation = judged(half_80, half_95)
    note = run_note(SPLIT, CONFIG, evaluation, "models:/m-1")
    assert (
        f"In the test period its distribution {verdict} the best naive one (CRPS skill {evaluation.crps_skill:+.3f}), "
        f"and its point forecast does **not** beat the best naive one (RMSE skill {evaluation.skill:+.3f})."
    ) in note


def test_each_naive_distribution_has_a_crps_and_each_naive_forecast_its_errors() -> None:
    evaluation = judged(0.5, 1.0)
    metrics = evaluation.metrics()
    rows = run_note(SPLIT, CONFIG, evaluation, "models:/m-1").split("| --- | ---: | ---: | ---: |\n")[1].splitlines()
    assert rows[0] == f"| this model | ${metrics['crps']:.3f} | ${metrics['rmse']:.3f} | ${metrics['mae']:.3f} |"
    crps = f"${metrics['constant_500_crps']:.3f}"
    assert rows[2] == f"| naive: the newest Close with its last 500 changes | {crps} |  |  |"
    errors = f"${metrics['newest_Close_rmse']:.3f} | ${metrics['newest_Close_mae']:.3f}"
    assert rows[5] == f"| naive: the newest Close |  | {errors} |"


def test_without_a_distribution_the_note_speaks_of_the_point_forecast_alone() -> None:
    note = run_note(SPLIT, CONFIG, evaluation_of(SPLIT), "models:/m-1")
    assert "In the test period its point forecast does **not** beat the best naive one (RMSE skill " in note
    assert np.isnan(evaluation_of(SPLIT).crps)


def test_however_much_was_noticed_about_prices_mlflow_takes_the_note_whole() -> None:
    notes = tuple(f"{number}: {'x' * 1000}" for number in range(40))
    split = replace(SPLIT, prices=replace(SPLIT.prices, notes=notes))
    note = run_note(split, CONFIG, judged(0.5, 1.0), "models:/m-1")
    assert len(note.encode()) < 7500
    assert "- and 25 more\n" in note
    assert note.endswith("```\n")
