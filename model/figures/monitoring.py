"""A version in use in figures: rolling errors beside the naive forecast's, coverage and drift; its distributions."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from model.evaluation.evaluation import join
from model.evaluation.monitoring import Monitoring, Window
from model.figures.distribution import distribution_figures
from model.figures.style import FORECAST, NAIVE, QUIET, legend, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def monitoring_figures(windows: Sequence[Window], subject: str, monitoring: Monitoring) -> Mapping[str, "Figure"]:
    """Every figure by name: `score`, and those of all scored distributions, where there are some."""
    scored = join([window.judged.part(slice(-1, None)) for window in windows])
    return {"score": monitoring_figure(windows, subject, monitoring), **distribution_figures(scored, subject)}


def monitoring_figure(windows: Sequence[Window], subject: str, monitoring: Monitoring) -> "Figure":
    """Draw every window at its last session; those that breach a limit are marked."""
    sessions = np.array([window.session for window in windows], dtype="datetime64[D]")
    broken = np.array([bool(window.breaches) for window in windows])
    rmse = np.array([window.judged.rmse for window in windows])
    figure = new_figure(
        f"{subject}: {sessions[0]} to {sessions[-1]}",
        f"the newest {monitoring.window} forecasts up to each session   ·   "
        f"{int(broken.sum())} of {len(windows)} windows breach a limit",
        height=7.0,
    )
    above, below = figure.subplots(2, 1, sharex=True)
    style(above, "rolling RMSE (US dollars)")
    marker = "o" if len(windows) < 3 else ""
    naive = [window.judged.naive_rmse for window in windows]
    above.plot(sessions, naive, color=NAIVE, linestyle="--", marker=marker, label="the best naive forecast")
    above.plot(sessions, rmse, color=FORECAST, linewidth=1.8, marker=marker, label="forecast")
    if broken.any():
        above.scatter(sessions[broken], rmse[broken], color="#b3261e", s=18, zorder=3, label="breaches a limit")
    legend(above, "forecast")
    style(below, "share", sessions)
    for level, line in zip(sorted(windows[-1].judged.intervals), (":", "-"), strict=False):
        held = [w.judged.coverage(level).value if level in w.judged.intervals else np.nan for w in windows]
        label = f"held by the {100 * level:g} % intervals"
        below.plot(sessions, held, color=FORECAST, linestyle=line, marker=marker, label=label)
    drifts = [window.drift for window in windows]
    below.plot(sessions, drifts, color=QUIET, marker=marker, label="drift of the returns")
    below.set_ylim(-0.02, 1.02)
    legend(below)
    return figure
