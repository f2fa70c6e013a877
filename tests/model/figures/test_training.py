"""The figures show the numbers they are given, in the colours and units that they promise."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest

from model.artifact.recipes import ChangeRecipe
from model.config import PRESETS, EvaluationConfig
from model.evaluation.baselines import naive_forecasts
from model.evaluation.evaluation import Evaluation
from model.evaluation.split import Split, split_prices
from model.figures.loss import loss_figure
from model.figures.training import (
    changes_figure,
    errors_figure,
    forecast_figure,
    prices_figure,
    scaled_figure,
    training_figures,
)
from model.forecaster.scaling import fit_recipe
from model.forecaster.windows import make_windows
from model.market.prices import Prices
from model.market.security import SAMPLE
from tests.market import make_prices
from tests.model.figures.given import LEVEL, course

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


def split_of(test_sessions: int) -> Split:
    """Weekdays of synthetic prices, the newest of which are the test period."""
    days = np.arange("2019-01-01", "2020-02-01", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    walk = 100 + np.cumsum(np.random.default_rng(0).normal(0, 1, len(days)))
    # Each Close is near the next Open, as in a real market, so that it is the best naive forecast of it.
    close = np.append(walk[1:], walk[-1]) + 0.1
    values = np.column_stack([walk, walk + 2, walk - 2, close, close, np.full(len(days), 1e6)])
    prices = Prices(security=SAMPLE, source="sample", origin="seed 0", sessions=days, values=values)
    return split_prices(prices, EvaluationConfig(test_sessions=test_sessions), lookback=40)


def evaluation_of(split: Split) -> Evaluation:
    actual = split.actual[:, 0]
    known = split.prices.until(split.prices.day(len(split.prices) - 2))
    return Evaluation(
        sessions=split.prices.sessions[len(split.train) :],
        actual=actual,
        forecast=actual + 3.0,
        naive=naive_forecasts(known, "Open", split.n_test),
        unit="USD",
    )


def line(axes: "Axes", label: str) -> "Line2D":
    return next(line for line in axes.get_lines() if line.get_label() == label)


def texts(figure: "Figure") -> str:
    return "\n".join(text.get_text() for text in figure.texts)


def test_the_forecast_stands_in_the_tutorials_colours_over_a_dashed_grey_naive_one() -> None:
    evaluation = evaluation_of(split_of(21))
    (axes,) = forecast_figure(evaluation, "SAMPLE Open").axes
    assert line(axes, "actual").get_color() == "black"
    assert line(axes, "forecast").get_color() == "#135485"
    assert np.array_equal(line(axes, "actual").get_ydata(), evaluation.actual)
    assert np.array_equal(line(axes, "forecast").get_ydata(), evaluation.forecast)
    naive = line(axes, "naive: the newest Close")
    assert evaluation.best_naive == "newest_Close"
    assert naive.get_linestyle() == "--"
    assert np.array_equal(naive.get_ydata(), evaluation.naive["newest_Close"])
    assert axes.get_ylabel() == "price (US dollars)"


def test_the_forecasts_title_names_security_column_period_and_both_errors() -> None:
    evaluation = evaluation_of(split_of(21))
    words = texts(forecast_figure(evaluation, "SAMPLE Open"))
    assert "SAMPLE Open, January 2020" in words
    assert "RMSE $3.00 of the forecast, $0.10 of the naive one" in words
    assert "not better than naive" in words


def test_a_test_period_over_several_months_is_called_by_its_ends() -> None:
    words = texts(forecast_figure(evaluation_of(split_of(30)), "SAMPLE Open"))
    assert "SAMPLE Open, 2019-12-23 to 2020-01-31" in words


def test_of_a_single_session_prices_that_hardly_differ_lie_near_to_each_other() -> None:
    evaluation = evaluation_of(split_of(1))
    near = replace(evaluation, forecast=evaluation.actual + 0.01, naive={"newest_Close": evaluation.actual - 0.01})
    for axes in (
        *forecast_figure(near, "SAMPLE Open").axes,
        *scaled_figure(near, "SAMPLE Open", minimum=0.0, maximum=100.0).axes,
    ):
        low, high = axes.get_ylim()
        assert high - low == pytest.approx(0.02 * high, rel=0.02)


def test_scaled_prices_are_shares_of_the_training_range() -> None:
    evaluation = evaluation_of(split_of(21))
    low, high = float(evaluation.actual.min()), float(evaluation.actual.max())
    (axes,) = scaled_figure(evaluation, "SAMPLE Open", minimum=low, maximum=high).axes
    scaled = np.asarray(line(axes, "actual").get_ydata())
    assert scaled.min() == 0.0
    assert scaled.max() == 1.0
    assert np.allclose(np.asarray(line(axes, "forecast").get_ydata()) - scaled, 3.0 / (high - low))


def test_changes_are_drawn_as_the_network_sees_them_up_to_the_session_before_the_newest() -> None:
    prices = make_prices(200)
    recipe = fit_recipe(prices, PRESETS["anchored"])
    assert isinstance(recipe, ChangeRecipe)
    figure = changes_figure(prices, recipe, "TEST Open")
    assert [axes.get_title("left") for axes in figure.axes] == ["Open", "High", "Low", "Close", "Volume"]
    (seen,) = make_windows(prices, recipe, 1).inputs
    for axes, values in zip(figure.axes, seen.T, strict=True):
        assert [bar.get_height() for bar in axes.patches] == pytest.approx(list(values))  # type: ignore[attr-defined]
    assert f"the 20 sessions before {prices.last}" in texts(figure)


def test_bars_show_forecast_minus_actual_beside_the_naive_errors() -> None:
    evaluation = evaluation_of(split_of(21))
    figure = errors_figure(evaluation, "SAMPLE Open")
    (axes,) = figure.axes
    heights = [bar.get_height() for bar in axes.patches]  # type: ignore[attr-defined]
    assert np.allclose(heights[:21], 3.0)
    assert np.allclose(heights[21:], evaluation.naive["newest_Close"] - evaluation.actual)
    assert "bias +$3.00" in texts(figure)


def test_the_split_is_drawn_where_it_is() -> None:
    split = split_of(21)
    whole, near = prices_figure(split, "Close").axes
    assert np.array_equal(line(whole, "training").get_ydata(), split.train.column("Close"))
    # The test period's line starts at the last session of the training part, where the two join.
    assert np.array_equal(line(near, "test").get_ydata(), split.prices.column("Close")[-22:])


def test_the_loss_has_a_logarithmic_scale_and_one_point_an_epoch() -> None:
    losses = [0.05, 0.01, 0.002]
    (axes,) = loss_figure([course(*losses)], "SAMPLE Open").axes
    assert axes.get_yscale() == "log"
    assert list(np.asarray(axes.get_lines()[0].get_xdata())) == [1, 2, 3]
    assert list(np.asarray(axes.get_lines()[0].get_ydata())) == losses


def test_each_network_has_a_line_and_a_dashed_one_on_the_windows_held_back() -> None:
    courses = [
        course(0.5, 0.4, held_back=(0.6, 0.7), kept=1),
        course(0.5, 0.3, 0.2, held_back=(0.5, 0.4, 0.45), kept=2),
    ]
    figure = loss_figure(courses, "SAMPLE Open")
    (axes,) = figure.axes
    first, held_back, ring = axes.get_lines()[:3]
    assert list(np.asarray(first.get_ydata())) == [0.5, 0.4]
    assert (list(np.asarray(held_back.get_ydata())), held_back.get_linestyle()) == ([0.6, 0.7], "--")
    assert (list(np.asarray(ring.get_xdata())), list(np.asarray(ring.get_ydata()))) == ([1], [0.6])
    assert list(np.asarray(line(axes, "network 2").get_xdata())) == [1, 2, 3]
    assert "weights kept of epoch 1, 2" in texts(figure)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("losses", [[0.5], [0.0, 0.0], [0.1, float("nan"), float("inf")]])
def test_a_loss_that_no_logarithm_has_is_left_out_without_a_warning(losses: list[float]) -> None:
    loss_figure([course(*losses)], "SAMPLE Open").savefig(BytesIO())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("test_sessions", [1, 2, 21, 120])
def test_every_figure_is_drawn_on_any_thread_at_1000_by_500_pixels(test_sessions: int) -> None:
    split = split_of(test_sessions)
    courses = [course(0.05, 0.01, 0.002)]

    def draw() -> dict[str, bytes]:
        figures = training_figures(split, LEVEL, courses, evaluation_of(split))
        drawn = {}
        for name, figure in figures.items():
            file = BytesIO()
            figure.savefig(file)
            drawn[name] = file.getvalue()
        return drawn

    with ThreadPoolExecutor(1) as pool:
        drawn = pool.submit(draw).result()
    assert sorted(drawn) == ["errors", "forecast", "loss", "prices", "scaled"]
    for png in drawn.values():
        # The header of a PNG: its signature, then width and height.
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        assert (int.from_bytes(png[16:20]), int.from_bytes(png[20:24])) == (1000, 500)


def test_a_dollar_sign_in_a_name_starts_no_formula() -> None:
    figure = forecast_figure(evaluation_of(split_of(21)), "A$B_{ Open")
    figure.savefig(BytesIO())
    assert "A$B_{ Open" in texts(figure)


def test_importing_the_plots_imports_no_matplotlib_and_drawing_no_pyplot() -> None:
    code = (
        "import sys, io, model.figures.loss as plots, tests.model.figures.given as given\n"
        "assert 'matplotlib' not in sys.modules\n"
        "plots.loss_figure([given.course(0.1, 0.01)], 'SAMPLE Open').savefig(io.BytesIO())\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_figures_are_in_the_unit_of_the_prices() -> None:
    pence, bare = (replace(evaluation_of(split_of(21)), unit=unit) for unit in ("GBp", None))
    assert forecast_figure(pence, "SAMPLE Open").axes[0].get_ylabel() == "price (GBp)"
    assert forecast_figure(bare, "SAMPLE Open").axes[0].get_ylabel() == "price"
    assert "RMSE 3.00 GBp of the forecast, 0.10 GBp of the naive one" in texts(forecast_figure(pence, "SAMPLE Open"))
    assert "bias +3.00 GBp" in texts(errors_figure(pence, "SAMPLE Open"))
    assert "$" not in texts(scaled_figure(bare, "SAMPLE Open", minimum=90.0, maximum=110.0))
