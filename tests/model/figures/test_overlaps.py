"""No legend lies on what is drawn, and nothing is cut off: each figure of each preset, with 1, 21 and 250 sessions."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from model.config import PRESETS, EvaluationConfig
from model.evaluation.evidence.live import LiveRecord
from model.evaluation.monitoring import Monitoring, rolling
from model.evaluation.split import split_prices
from model.figures.backtest import backtest_figures
from model.figures.gradients import norms_figure
from model.figures.monitoring import live_figures, monitoring_figures
from model.figures.style import legend_above, new_figure
from model.figures.training import forecast_figure, training_figures
from model.forecaster.scaling import fit_recipe, sessions_needed
from tests.market import make_prices
from tests.model.backtest.test_result import plan, result
from tests.model.figures.given import course, market_like, overlaps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PRICES = make_prices(800)
LOSSES = (0.34, 0.33, 0.32, 0.31)


def found_in(figures: "Mapping[str, Figure]") -> dict[str, list[str]]:
    return {name: found for name, figure in figures.items() if (found := overlaps(figure))}


def test_what_lies_on_something_is_found() -> None:
    figure = new_figure("SAMPLE Open", "of 3 sessions")
    axes = figure.subplots()
    axes.set_ylabel("price")
    axes.plot([0, 1, 2], [1, 3, 2], label="forecast")
    legend_above(axes)
    assert overlaps(figure) == []
    figure.subplots_adjust(left=0.0)
    assert "cut off: axes price" in overlaps(figure)
    axes.legend(loc="upper left")
    assert "legend forecast on axes price" in overlaps(figure)


@pytest.mark.parametrize("sessions", [1, 21, 250])
@pytest.mark.parametrize("preset", ["tutorial", "anchored", "daily"])
def test_the_figures_of_a_training(preset: str, sessions: int) -> None:
    config = PRESETS[preset]
    split = split_prices(PRICES, EvaluationConfig(test_sessions=sessions), sessions_needed(config))
    judged = replace(market_like(sessions), sessions=split.prices.sessions[-sessions:])
    courses = [course(*LOSSES, held_back=LOSSES, kept=kept) for kept in range(config.training.members)]
    figures = training_figures(split, fit_recipe(split.train, config), courses, judged)
    assert {"prices", "loss", "scaled", "forecast", "errors", "scale", "crps"} <= figures.keys()
    assert found_in({**figures, "points": forecast_figure(judged, "SAMPLE Open")}) == {}


@pytest.mark.parametrize("sessions", [1, 21, 250])
@pytest.mark.parametrize("too_narrow", [False, True])
def test_the_figures_of_forecasts_in_use(sessions: int, too_narrow: bool) -> None:
    judged, monitoring = market_like(sessions, too_narrow=too_narrow), Monitoring()
    drifts = np.where(np.arange(sessions) < 40, np.nan, 0.1)
    live = LiveRecord.of(judged)
    assert live is not None
    figures = monitoring_figures(rolling(judged, drifts, monitoring), "META-Open version 12", monitoring)
    week = live_figures(live, 20.0, "META-Open", 5)
    assert set(week) == {"in_5_live_skill", "in_5_live_evidence", "in_5_live_forecast"}
    assert found_in({**figures, **live_figures(live, 20.0, "META-Open"), **week}) == {}


def test_the_figures_of_a_backtest() -> None:
    assert found_in(backtest_figures(result(plan()))) == {}


@pytest.mark.parametrize("decay", [0.0, 0.05, 1.0])
def test_the_figure_of_the_gradients(decay: float) -> None:
    norms = 2e-5 * np.exp(-decay * np.arange(20) * np.arange(1, 5)[:, np.newaxis])
    assert overlaps(norms_figure({"with fresh weights": norms, "after the fit": norms}, "SAMPLE Open", "")) == []
