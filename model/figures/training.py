"""A training in figures: the prices, the loss, the forecasts scaled and as prices, their errors and distributions.

Each function makes a new figure of 1000 x 500 pixels; only the one of the inputs is higher.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from model.artifact.recipes import CHANGES_PER_SCALE, LARGEST_INPUT, ChangeRecipe, LevelRecipe, Recipe
from model.evaluation.baselines import naive_label
from model.evaluation.evaluation import Evaluation
from model.evaluation.split import Split
from model.figures.axis import places, session_axis
from model.figures.distribution import distribution_figures
from model.figures.loss import loss_figure
from model.figures.style import (
    ACTUAL,
    FORECAST,
    MARKED_SESSIONS,
    MINUS,
    NAIVE,
    QUIET,
    legend_above,
    new_figure,
    panel_title,
    period,
    room_around_one_session,
    signed,
    signed_price,
    style,
    wide_places,
)
from model.forecaster.forecaster import LossCourse
from model.market.money import Money
from model.market.prices import Days, Prices, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Sessions of the training part that lead up to the test period in its close-up.
LEAD_IN = 21


def training_figures(
    split: Split, recipe: Recipe, courses: Sequence[LossCourse], evaluation: Evaluation
) -> Mapping[str, "Figure"]:
    """Every figure of a training by name.

    `scaled` shows what the recipe makes of prices: scaled levels or changes.

    Where there are distributions, the forecast is drawn with their intervals, and they have figures of their own.
    """
    column, subject = recipe.column, f"{split.prices.security.ticker} {recipe.column}"
    return {
        "prices": prices_figure(split, column),
        "loss": loss_figure(courses, subject),
        **dict(_scaled(split, recipe, evaluation, subject)),
        "forecast": forecast_figure(evaluation, subject),
        "errors": errors_figure(evaluation, subject),
        **distribution_figures(evaluation, subject),
    }


def _scaled(split: Split, recipe: Recipe, evaluation: Evaluation, subject: str) -> "Iterator[tuple[str, Figure]]":
    if isinstance(recipe, LevelRecipe):
        yield "scaled", scaled_figure(evaluation, subject, minimum=recipe.minimum, maximum=recipe.maximum)
    elif isinstance(recipe, ChangeRecipe):
        yield "scaled", changes_figure(split.prices, recipe, subject)


def prices_figure(split: Split, column: str) -> "Figure":
    """Draw all prices of the column with the test period set off, and a close-up of it."""
    prices, n_train = split.prices, len(split.train)
    figure = new_figure(
        f"{prices.security.ticker} {column}: training part and test period",
        f"training: {n_train:,} sessions, {split.train.first} to {split.train.last}   ·   "
        f"test: {split.n_test:,} session{'s' if split.n_test > 1 else ''}, {split.first_test} to {split.last_test}",
    )
    whole, near = figure.subplots(1, 2, width_ratios=(3, 2))
    for axes, start in ((whole, 0), (near, max(0, n_train - LEAD_IN))):
        style(axes, prices.money.label("price") if axes is whole else "", prices.sessions[start:])
        session_axis(axes, prices.sessions[start:], most_ticks=9 if axes is whole else 5)
        at = places(prices.sessions) - start
        axes.axvspan(at[n_train] - 0.5, at[-1] + 0.5, color=FORECAST, alpha=0.12, linewidth=0)
        values = prices.column(column)
        # The line is joined at the last session of the training part.
        axes.plot(at[n_train - 1 :], values[n_train - 1 :], color=FORECAST, linewidth=1.6, label="test")
        axes.plot(at[start:n_train], values[start:n_train], color=ACTUAL, linewidth=1.1, label="training")
    legend_above(whole, "training", "test")
    panel_title(near, "the test period, close up")
    return figure


def scaled_figure(evaluation: Evaluation, subject: str, *, minimum: float, maximum: float) -> "Figure":
    """Draw what the network works with: prices as a share of the training part's range, minimum 0 and maximum 1."""
    actual, forecast = ((values - minimum) / (maximum - minimum) for values in (evaluation.actual, evaluation.forecast))
    money = Money.at(evaluation.unit, minimum)
    figure = new_figure(
        f"{subject}, {period(evaluation.sessions)}: scaled forecasts",
        f"0 is the training part's lowest price, {money.price(minimum)}; 1 its highest, {money.price(maximum)}",
    )
    axes = figure.subplots()
    style(axes, "scaled price", evaluation.sessions)
    _lines(axes, evaluation.sessions, actual, forecast)
    room_around_one_session(axes, evaluation.sessions)
    low, high = axes.get_ylim()
    for bound, name in ((0.0, "lowest"), (1.0, "highest")):
        if low < bound < high:
            axes.axhline(bound, color=QUIET, linewidth=0.9, linestyle=":", label=f"the training part's {name} price")
    legend_above(axes, "actual", "forecast")
    return figure


def changes_figure(prices: Prices, recipe: ChangeRecipe, subject: str) -> "Figure":
    """Draw the inputs of the newest forecast, a panel for each of them; dotted lines are at a move of usual size."""
    known = {name: values[:-1] for name, values in prices.table().items()}
    (window,) = recipe.inputs(known)
    sessions = prices.sessions[-1 - recipe.lookback : -1]
    figure = new_figure(
        f"{subject}: what the network sees of the {recipe.lookback} sessions before {prices.last}",
        f"changes from the Close before, volume from the session before   ·   dotted: a move of usual size, "
        f"{CHANGES_PER_SCALE:g} and \N{MINUS SIGN}{CHANGES_PER_SCALE:g}",
        height=8.0,
    )
    figure.subplots_adjust(top=0.87, hspace=0.5)
    rows = figure.subplots(len(recipe.columns), 1, sharex=True)
    limit = min(LARGEST_INPUT, max(2.0, 1.1 * float(np.abs(window).max())))
    for axes, name, values in zip(rows, recipe.columns, window.T, strict=True):
        style(axes, "", sessions)
        panel_title(axes, name)
        axes.bar(places(sessions), values, 0.7, color=FORECAST)
        axes.axhline(0, color=ACTUAL, linewidth=0.9)
        for bound in (-CHANGES_PER_SCALE, CHANGES_PER_SCALE) if name != "Volume" else ():
            axes.axhline(bound, color=QUIET, linewidth=0.9, linestyle=":")
        axes.set_ylim(-limit, limit)
        if axes is not rows[-1]:
            axes.set_xlabel("")
    return figure


def forecast_figure(evaluation: Evaluation, subject: str) -> "Figure":
    """Draw forecasts, the actual prices, and the best naive forecast."""
    money = evaluation.money
    figure = new_figure(
        f"{subject}, {period(evaluation.sessions)}: forecast and actual price",
        f"RMSE {money.price(evaluation.rmse)} of the forecast, {money.price(evaluation.naive_rmse)} of the naive one"
        f"   ·   skill {signed(evaluation.skill, 3)} ({'better' if evaluation.skill > 0 else 'not better'} than naive)",
    )
    axes = figure.subplots()
    style(axes, money.label("price"), evaluation.sessions)
    naive = evaluation.naive[evaluation.best_naive]
    label = f"naive: {naive_label(evaluation.best_naive)}"
    at = wide_places(evaluation.sessions)
    axes.plot(at, np.broadcast_to(naive, len(at)), color=NAIVE, linewidth=1.1, linestyle="--", label=label)
    _lines(axes, evaluation.sessions, evaluation.actual, evaluation.forecast)
    room_around_one_session(axes, evaluation.sessions)
    legend_above(axes, "actual", "forecast")
    return figure


def errors_figure(evaluation: Evaluation, subject: str) -> "Figure":
    """Draw forecast minus actual by session, for the forecast and the best naive forecast."""
    money = evaluation.money
    figure = new_figure(
        f"{subject}, {period(evaluation.sessions)}: errors by session",
        f"mean absolute error {money.price(evaluation.mae)} of the forecast, "
        f"{money.price(evaluation.naive_mae)} of the naive one"
        f"   ·   bias {signed_price(evaluation.bias, money)}",
    )
    axes = figure.subplots()
    style(axes, money.label(f"forecast {MINUS} actual"), evaluation.sessions)
    days = places(evaluation.sessions)
    naive = evaluation.naive[evaluation.best_naive] - evaluation.actual
    error, label = evaluation.forecast - evaluation.actual, f"naive: {naive_label(evaluation.best_naive)}"
    if len(days) <= MARKED_SESSIONS:
        axes.bar(days - 0.2, error, 0.4, color=FORECAST, label="forecast")
        axes.bar(days + 0.2, naive, 0.4, color="#b5b5b5", label=label)
    else:
        axes.bar(days, error, 1.0, color=FORECAST, label="forecast")
        axes.plot(days, naive, color="#9a9a9a", linewidth=1.1, label=label)
    axes.axhline(0, color=ACTUAL, linewidth=0.9)
    legend_above(axes, "forecast")
    return figure


def _lines(axes: "Axes", sessions: Days, actual: Values, forecast: Values) -> None:
    marker = "o" if len(sessions) <= MARKED_SESSIONS else ""
    for values, colour, label in ((forecast, FORECAST, "forecast"), (actual, ACTUAL, "actual")):
        axes.plot(places(sessions), values, color=colour, linewidth=1.8, marker=marker, markersize=3.5, label=label)
