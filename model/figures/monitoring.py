"""Forecasts in use in figures.

Of a version: rolling CRPS beside the naive distribution's, coverage and drift, and its distributions. Of a model: the
live proof, which is skill and evidence of the forecasts of all its versions.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from model.evaluation.evaluation import join
from model.evaluation.evidence.live import SPANS, LiveRecord
from model.evaluation.monitoring import Monitoring, Window
from model.figures.axis import places
from model.figures.distribution import distribution_figures
from model.figures.evidence import evidence_figure
from model.figures.style import (
    ACTUAL,
    COLOURS,
    FORECAST,
    MARKED_SESSIONS,
    MISS,
    NAIVE,
    QUIET,
    legend,
    new_figure,
    period,
    plain_ticks,
    style,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The shortest span, whose skill varies most, has the palest colour.
SPAN_COLOURS = dict(zip(SPANS, (NAIVE, COLOURS[1], FORECAST), strict=True))


def monitoring_figures(windows: Sequence[Window], subject: str, monitoring: Monitoring) -> Mapping[str, "Figure"]:
    """Every figure by name: `score`, and those of all scored distributions, where there are some."""
    scored = join([window.judged.part(slice(-1, None)) for window in windows])
    return {"score": monitoring_figure(windows, subject, monitoring), **distribution_figures(scored, subject)}


def monitoring_figure(windows: Sequence[Window], subject: str, monitoring: Monitoring) -> "Figure":
    """Draw every full window at its last session, with the shares promised; those that breach a limit are marked.

    Where no window is full yet, the fullest one is drawn. Forecasts without distributions are drawn with their RMSE.
    """
    full = [window for window in windows if len(window.judged.sessions) >= monitoring.window]
    waits = "" if full else f" ({len(windows[-1].judged.sessions)} so far)"
    windows = full or windows[-1:]
    sessions = np.array([window.session for window in windows], dtype="datetime64[D]")
    at = places(sessions)
    broken = np.array([bool(window.breaches) for window in windows])
    scores = np.array([(window.judged.crps, window.judged.naive_crps) for window in windows])
    name, other = "CRPS", "the best naive distribution"
    if not np.isfinite(scores[:, 0]).any():
        scores = np.array([(window.judged.rmse, window.judged.naive_rmse) for window in windows])
        name, other = "RMSE", "the best naive forecast"
    ours, naive = scores.T
    figure = new_figure(
        f"{subject}: {sessions[0]} to {sessions[-1]}",
        f"the newest {monitoring.window} forecasts{waits} up to each session   ·   "
        f"{int(broken.sum())} of {len(windows)} windows breach a limit",
        height=7.0,
    )
    above, below = figure.subplots(2, 1, sharex=True)
    style(above, windows[-1].judged.money.label(f"rolling {name}"))
    marker = "o" if len(windows) < 3 else ""
    above.plot(at, naive, color=NAIVE, linestyle="--", marker=marker, label=other)
    above.plot(at, ours, color=FORECAST, linewidth=1.8, marker=marker, label="forecast")
    if broken.any():
        above.scatter(at[broken], ours[broken], color=MISS, s=18, zorder=3, label="breaches a limit")
    legend(above, "forecast")
    style(below, "share", sessions)
    for level, line in zip(sorted(windows[-1].judged.intervals), (":", "-"), strict=False):
        held = [w.judged.coverage(level).value if level in w.judged.intervals else np.nan for w in windows]
        label = f"held by the {100 * level:g} % intervals"
        below.plot(at, held, color=FORECAST, linestyle=line, marker=marker, label=label)
    drifts = [window.drift for window in windows]
    below.plot(at, drifts, color=QUIET, marker=marker, label="drift of the returns")
    for level in windows[-1].judged.intervals:
        below.axhline(level, color=NAIVE, linestyle="--", linewidth=0.9, label=f"promised: {100 * level:g} %")
    below.set_ylim(-0.02, 1.02)
    legend(below)
    return figure


def live_figures(live: LiveRecord, needed: float, subject: str) -> Mapping[str, "Figure"]:
    """Every figure of a live record by name: its skill and its evidence."""
    subject = f"{subject}, live"
    evidence = evidence_figure(live.sessions, live.evidence, needed, subject, needed_against=needed)
    return {"live_skill": skill_figure(live, needed, subject), "live_evidence": evidence}


def skill_figure(live: LiveRecord, needed: float, subject: str) -> "Figure":
    """Draw the rolling CRPS skill, and the line at 0, above which it is better than naive."""
    waits = "" if live.skills else f"   ·   skill is shown from {min(SPANS)} forecasts on"
    figure = new_figure(f"{subject}, {period(live.sessions)}: skill", f"{live.claim(needed)}{waits}")
    axes = figure.subplots()
    style(axes, "share of the best naive CRPS that is saved", live.sessions)
    axes.axhline(0, color=ACTUAL, linewidth=0.9)
    for span in live.skills:
        skill = live.rolling_skill(span)
        marker = "o" if np.isfinite(skill).sum() <= MARKED_SESSIONS else ""
        label = f"over the newest {span} forecasts"
        axes.plot(places(live.sessions), skill, color=SPAN_COLOURS[span], marker=marker, markersize=3.5, label=label)
    if live.skills:
        legend(axes)
    else:
        axes.set_ylim(-0.1, 0.1)
    plain_ticks(axes)
    return figure
