"""A training in five figures: the prices, the loss, the forecasts scaled and in dollars, and their errors.

Each function gives a figure of 1000 x 500 pixels that belongs to nobody else: neither pyplot nor its global state
is used, so that figures can be made on any thread and without a display.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from model.evaluation import Evaluation
from model.prices import Days, Values
from model.split import Split

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACTUAL = "black"
FORECAST = "#135485"
NAIVE = "#8c8c8c"
QUIET = "#5f6368"

MINUS = "\N{MINUS SIGN}"
DOLLARS = "price (US dollars)"
# In longer test periods, markers and pairs of bars would cover each other.
MARKED_SESSIONS = 70
# Sessions of the training part that lead up to the test period in its close-up.
LEAD_IN = 21


def training_figures(
    split: Split,
    column: str,
    losses: Sequence[float],
    evaluation: Evaluation,
    *,
    minimum: float,
    maximum: float,
) -> Mapping[str, "Figure"]:
    """Every figure of a training by name; `minimum` and `maximum` are the scaling's, in dollars."""
    subject = f"{split.prices.security.ticker} {column}"
    return {
        "prices": prices_figure(split, column),
        "loss": loss_figure(losses, subject),
        "scaled": scaled_figure(evaluation, subject, minimum=minimum, maximum=maximum),
        "forecast": forecast_figure(evaluation, subject),
        "errors": errors_figure(evaluation, subject),
    }


def prices_figure(split: Split, column: str) -> "Figure":
    """Draw all prices of the column with the test period set off, and a close-up of it."""
    prices, n_train = split.prices, len(split.train)
    figure = _figure(
        f"{prices.security.ticker} {column}: training part and test period",
        f"training: {n_train:,} sessions, {split.train.first} to {split.train.last}   ·   "
        f"test: {split.n_test:,} sessions, {split.first_test} to {split.last_test}",
    )
    figure.subplots_adjust(top=0.8)
    whole, near = figure.subplots(1, 2, width_ratios=(3, 2))
    for axes, start in ((whole, 0), (near, max(0, n_train - LEAD_IN))):
        _style(axes, DOLLARS if axes is whole else "")
        _dates(axes, prices.sessions[start:])
        axes.axvspan(
            _number(prices.sessions[n_train]) - 0.5,
            _number(prices.sessions[-1]) + 0.5,
            color=FORECAST,
            alpha=0.12,
            linewidth=0,
        )
        values = prices.column(column)
        # The line is joined at the last session of the training part.
        axes.plot(prices.sessions[n_train - 1 :], values[n_train - 1 :], color=FORECAST, linewidth=1.6, label="test")
        axes.plot(prices.sessions[start:n_train], values[start:n_train], color=ACTUAL, linewidth=1.1, label="training")
    _legend(whole, "training", "test")
    near.set_title("the test period, close up", fontsize=10, color=QUIET, loc="left")
    return figure


def loss_figure(losses: Sequence[float], subject: str) -> "Figure":
    """Draw the training loss by epoch, on a logarithmic scale; losses[0] is the first epoch's."""
    from matplotlib.ticker import MaxNLocator

    values = np.asarray(losses, dtype=np.float64)
    epochs = np.arange(1, len(values) + 1)
    figure = _figure(
        f"{subject}: loss while training",
        f"{values[0]:.4g} in the first epoch, {values[-1]:.4g} in the last of {len(values):,}",
    )
    axes = figure.subplots()
    _style(axes, "training loss (log scale)")
    # A loss of zero, infinity or NaN has no place on a logarithmic scale.
    shown = np.isfinite(values) & (values > 0)
    marker = "." if len(values) < 30 else ""
    axes.plot(epochs, np.where(shown, values, np.nan), color=FORECAST, linewidth=1.6, marker=marker)
    if shown.any():
        axes.set_yscale("log")
        _plain_log_ticks(axes)
    axes.set_xlabel("epoch")
    axes.set_xlim(0.5, len(values) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(True, which="minor", axis="y", color="#f1f1f1", linewidth=0.6)
    return figure


def scaled_figure(evaluation: Evaluation, subject: str, *, minimum: float, maximum: float) -> "Figure":
    """Draw what the network works with: prices as a share of the training part's range, minimum 0 and maximum 1."""
    actual, forecast = ((values - minimum) / (maximum - minimum) for values in (evaluation.actual, evaluation.forecast))
    figure = _figure(
        f"{subject}, {_period(evaluation.sessions)}: scaled forecasts",
        f"0 is the training part's lowest price, ${minimum:,.2f}; 1 its highest, ${maximum:,.2f}",
    )
    axes = figure.subplots()
    _style(axes, "scaled price")
    _dates(axes, evaluation.sessions)
    _lines(axes, evaluation.sessions, actual, forecast)
    low, high = axes.get_ylim()
    for bound, name in ((0.0, "lowest"), (1.0, "highest")):
        if low < bound < high:
            axes.axhline(bound, color=QUIET, linewidth=0.9, linestyle=":", label=f"the training part's {name} price")
    _legend(axes, "actual", "forecast")
    return figure


def forecast_figure(evaluation: Evaluation, subject: str) -> "Figure":
    """Draw forecasts in dollars against what happened, and against the best naive forecast."""
    figure = _figure(
        f"{subject}, {_period(evaluation.sessions)}: forecast and what happened",
        f"RMSE ${evaluation.rmse:,.2f} of the forecast, ${evaluation.naive_rmse:,.2f} of the naive one"
        f"   ·   skill {_signed(evaluation.skill)} ({'better' if evaluation.skill > 0 else 'not better'} than naive)",
    )
    axes = figure.subplots()
    _style(axes, DOLLARS)
    _dates(axes, evaluation.sessions)
    naive = evaluation.naive[evaluation.best_naive]
    label = _naive_label(evaluation.best_naive)
    marker = "o" if len(naive) == 1 else ""
    axes.plot(evaluation.sessions, naive, color=NAIVE, linewidth=1.1, linestyle="--", marker=marker, label=label)
    _lines(axes, evaluation.sessions, evaluation.actual, evaluation.forecast)
    _legend(axes, "actual", "forecast")
    return figure


def errors_figure(evaluation: Evaluation, subject: str) -> "Figure":
    """Draw forecast minus actual by session, the best naive forecast's beside it."""
    figure = _figure(
        f"{subject}, {_period(evaluation.sessions)}: errors by session",
        f"mean absolute error ${evaluation.mae:,.2f} of the forecast, ${evaluation.naive_mae:,.2f} of the naive one"
        f"   ·   bias {_signed(evaluation.bias, '$')}",
    )
    axes = figure.subplots()
    _style(axes, f"forecast {MINUS} actual (US dollars)")
    _dates(axes, evaluation.sessions)
    days = evaluation.sessions.astype("datetime64[D]").astype(np.float64)
    naive = evaluation.naive[evaluation.best_naive] - evaluation.actual
    error, label = evaluation.forecast - evaluation.actual, _naive_label(evaluation.best_naive)
    if len(days) <= MARKED_SESSIONS:
        axes.bar(days - 0.2, error, 0.4, color=FORECAST, label="forecast")
        axes.bar(days + 0.2, naive, 0.4, color="#b5b5b5", label=label)
    else:
        axes.bar(days, error, 1.0, color=FORECAST, label="forecast")
        axes.plot(days, naive, color="#9a9a9a", linewidth=1.1, label=label)
    axes.axhline(0, color=ACTUAL, linewidth=0.9)
    _legend(axes, "forecast")
    return figure


def _figure(title: str, subtitle: str) -> "Figure":
    """Make an empty figure under a title and a quieter line that holds the numbers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), dpi=100, facecolor="white")
    figure.subplots_adjust(left=0.085, right=0.975, top=0.83, bottom=0.125, wspace=0.12)
    # Two dollar signs in one line would otherwise start a formula.
    figure.text(0.085, 0.935, title, fontsize=14, fontweight="bold", parse_math=False)
    figure.text(0.085, 0.875, subtitle, fontsize=10.5, color=QUIET, parse_math=False)
    return figure


def _style(axes: "Axes", ylabel: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, axis="y", color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_ylabel(ylabel, fontsize=11)
    axes.tick_params(labelsize=10)


def _dates(axes: "Axes", sessions: Days) -> None:
    """Make a date axis that spans the sessions, and never less than some days: hours mean nothing here."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    first, last = _number(sessions[0]), _number(sessions[-1])
    margin = max(0.02 * (last - first), 2.5 if last - first < 4 else 0.8)
    axes.set_xlim(first - margin, last + margin)
    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_xlabel("session", fontsize=11)


def _lines(axes: "Axes", sessions: Days, actual: Values, forecast: Values) -> None:
    marker = "o" if len(sessions) <= MARKED_SESSIONS else ""
    axes.plot(sessions, forecast, color=FORECAST, linewidth=1.8, marker=marker, markersize=3.5, label="forecast")
    axes.plot(sessions, actual, color=ACTUAL, linewidth=1.8, marker=marker, markersize=3.5, label="actual")


def _legend(axes: "Axes", *first: str) -> None:
    """Add a legend that names these before all others, whatever was drawn first."""
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda at: first.index(labels[at]) if labels[at] in first else len(first))
    axes.legend([handles[at] for at in order], [labels[at] for at in order], frameon=False)


def _plain_log_ticks(axes: "Axes") -> None:
    """Show losses as plain numbers: 0.002 reads easier than a power of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=15))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _number(session: np.datetime64) -> float:
    """Give the place of a session on a date axis: days since 1970."""
    return float(session.astype("datetime64[D]").astype(np.int64))


def _period(sessions: Days) -> str:
    """`January 2020` where the sessions lie in one month, else the first and the last of them."""
    months = np.unique(sessions.astype("datetime64[M]"))
    if len(months) > 1:
        return f"{sessions[0]} to {sessions[-1]}"
    return str(months[0].item().strftime("%B %Y"))


def _naive_label(name: str) -> str:
    return f"naive: the {name.removeprefix('newest_')} of the session before"


def _signed(value: float, unit: str = "") -> str:
    return f"{MINUS if round(value, 2) < 0 else '+'}{unit}{abs(value):,.2f}"
