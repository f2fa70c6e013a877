"""Forecasts in use in figures.

Of a version: rolling CRPS beside the naive distribution's, coverage and drift, and its distributions. Of a model: the
live proof, which is skill and evidence of the forecasts of all its versions.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from model.artifact.sessions_ahead import further_column
from model.evaluation.evaluation import join
from model.evaluation.evidence.live import SPANS, LiveRecord
from model.evaluation.monitoring import Monitoring, Window, coverage_gap, crps_is_too_high
from model.figures.axis import places
from model.figures.distribution import distribution_figures
from model.figures.evidence import evidence_figure
from model.figures.fan import FAN_SESSIONS, fan_figure
from model.figures.style import (
    ACTUAL,
    COLOURS,
    FORECAST,
    MARKED_SESSIONS,
    MISS,
    NAIVE,
    QUIET,
    legend_above,
    new_figure,
    period,
    period_of_newest,
    plain_ticks,
    signed,
    style,
    wide_places,
)
from model.market.prices import Days, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The shortest span, whose skill varies most, has the palest colour.
SPAN_COLOURS = dict(zip(SPANS, (NAIVE, COLOURS[1], FORECAST), strict=True))
# So few windows have marks, where there is hardly a line.
FEW = 3
BREACHES = "breaches a limit"


class LevelLook(NamedTuple):
    """How what is held at a level looks, and what is promised; markers that lie on each other are both in sight."""

    colour: str
    promised: Any
    marker: float
    fill: Literal["full", "none"]


LEVEL_LOOKS = (LevelLook(COLOURS[1], ":", 9, "none"), LevelLook(FORECAST, "--", 4, "full"))


def monitoring_figures(windows: Sequence[Window], subject: str, monitoring: Monitoring) -> Mapping[str, "Figure"]:
    """Every figure by name: `score`, and those of all scored distributions, where there are some."""
    scored = join([window.judged.part(slice(-1, None)) for window in windows])
    return {"score": monitoring_figure(windows, subject, monitoring), **distribution_figures(scored, subject)}


def monitoring_figure(windows: Sequence[Window], subject: str, monitoring: Monitoring) -> "Figure":
    """Draw every full window at its last session, with the shares promised and the limit of the CRPS.

    What breaches its limit has a red mark. Where no window is full yet, the fullest one is drawn.

    Forecasts without distributions are drawn with their RMSE, which has no limit.
    """
    full = [window for window in windows if len(window.judged.sessions) >= monitoring.window]
    waits = "" if full else f" ({len(windows[-1].judged.sessions)} so far)"
    windows = full or windows[-1:]
    sessions = np.array([window.session for window in windows], dtype="datetime64[D]")
    broken = sum(bool(window.breaches) for window in windows)
    figure = new_figure(
        f"{subject}: {sessions[0]}{f' to {sessions[-1]}' if len(windows) > 1 else ''}",
        f"the newest {monitoring.window} forecasts{waits} up to each session   ·   "
        f"{broken} of {len(windows)} windows breach{'es' if len(windows) == 1 and broken else ''} a limit",
        height=7.0,
    )
    figure.subplots_adjust(right=0.88, hspace=0.28)  # the lines that have no place in a legend are named on the right
    above, below = figure.subplots(2, 1, sharex=True)
    _scores(above, windows, sessions, monitoring)
    _shares(below, windows, sessions, monitoring)
    return figure


def _scores(axes: "Axes", windows: Sequence[Window], sessions: Days, monitoring: Monitoring) -> None:
    """Ours and the best naive one's by window; for the CRPS also the limit, which is a multiple of the naive one's."""
    ours, naive = np.array([(window.judged.crps, window.judged.naive_crps) for window in windows]).T
    name, other, limited = "CRPS", "best naive distribution", True
    if not np.isfinite(ours).any():
        ours, naive = np.array([(window.judged.rmse, window.judged.naive_rmse) for window in windows]).T
        name, other, limited = "RMSE", "best naive forecast", False
    style(axes, windows[-1].judged.money.label(f"rolling {name}"))
    at, marker = places(sessions), "o" if len(windows) < FEW else ""
    axes.plot(at, naive, color=NAIVE, linestyle="--", marker=marker, label=other)
    axes.plot(at, ours, color=FORECAST, linewidth=1.8, marker=marker, label="forecast")
    if limited:
        label = f"limit: {monitoring.max_crps_ratio:g} times the naive CRPS"
        limit = np.broadcast_to(monitoring.max_crps_ratio * naive, max(len(at), 2))
        axes.plot(wide_places(sessions), limit, color=MISS, linestyle=":", linewidth=1.2, label=label)
        broken = [bool(each.breaches) and crps_is_too_high(each.judged, monitoring) for each in windows]
        _mark(axes, at, ours, np.array(broken))
    legend_above(axes, "forecast")


def _shares(axes: "Axes", windows: Sequence[Window], sessions: Days, monitoring: Monitoring) -> None:
    """The share of prices that the intervals of each level hold beside the one promised, and the drift."""
    style(axes, "share", sessions)
    at, few = places(sessions), len(windows) < FEW
    levels = sorted(windows[-1].judged.intervals)
    for level, look in zip(levels, LEVEL_LOOKS, strict=False):
        marks: dict[str, Any] = {"marker": "o", "markersize": look.marker, "fillstyle": look.fill} if few else {}
        label = f"held by the {100 * level:g} % intervals"
        axes.plot(at, _held(windows, level), color=look.colour, linewidth=1.6, label=label, **marks)
        promised = f"promised {100 * level:g} %"
        axes.axhline(level, color=look.colour, linestyle=look.promised, linewidth=1.1, label=f"_{promised}")
        where: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center"}
        axes.annotate(promised, (1, level), (6, 0), color=look.colour, fontsize=9.5, **where)
    drifts = np.array([window.drift for window in windows])
    if np.isfinite(drifts).any():
        axes.plot(at, drifts, color=QUIET, marker="o" if few else "", label="drift of the returns")
    for level in levels:
        gaps = np.array([coverage_gap(window.judged, level) if window.breaches else 0.0 for window in windows])
        _mark(axes, at, _held(windows, level), gaps > monitoring.max_coverage_gap)
    axes.set_ylim(-0.03, 1.03)
    legend_above(axes)


def _held(windows: Sequence[Window], level: float) -> Values:
    """(windows,) the shares of prices that the intervals of a level hold."""
    return np.array([window.judged.coverage(level).value for window in windows])


def _mark(axes: "Axes", at: Values, values: Values, broken: npt.NDArray[np.bool_]) -> None:
    """Red marks where a limit is breached; the legend names them once."""
    if broken.any():
        label = None if BREACHES in axes.get_legend_handles_labels()[1] else BREACHES
        size = 16 if len(at) <= MARKED_SESSIONS else 5
        axes.scatter(at[broken], values[broken], color=MISS, s=size, zorder=3, label=label)


def live_figures(live: LiveRecord, needed: float, subject: str, horizon: int = 1) -> Mapping[str, "Figure"]:
    """Every figure of a live record by name: its skill and its evidence.

    horizon: how many sessions ahead the forecasts are; of later ones the names are `in_5_live_skill` and so on, and the
             fan of the newest of them, with the coverage, is there, too
    """
    ahead = "" if horizon == 1 else f", {horizon} sessions ahead"
    subject = f"{subject}, live{ahead}"
    evidence = evidence_figure(live.sessions, live.evidence, needed, subject, needed_against=needed)
    figures = {"live_skill": skill_figure(live, needed, subject), "live_evidence": evidence}
    if horizon == 1:
        return figures
    newest = live.judged.part(slice(-FAN_SESSIONS, None))
    title = f"{subject}, {period_of_newest(newest.sessions, len(live))}"
    figures["live_forecast"] = fan_figure(newest, title)
    return {further_column(horizon, name): figure for name, figure in figures.items()}


def skill_figure(live: LiveRecord, needed: float, subject: str) -> "Figure":
    """Draw the rolling CRPS skill, and the line at 0, above which it is better than naive."""
    waits = "" if live.skills else f"   ·   skill is shown from {min(SPANS)} forecasts on"
    figure = new_figure(f"{subject}, {period(live.sessions)}: skill", f"{live.claim(needed)}{waits}")
    axes = figure.subplots()
    style(axes, "share of the best naive CRPS that is saved", live.sessions)
    axes.axhline(0, color=ACTUAL, linewidth=0.9)
    for span, newest in live.skills.items():
        skill = live.rolling_skill(span)
        shown = int(np.isfinite(skill).sum())
        look: dict[str, Any] = {
            "marker": "o" if shown <= MARKED_SESSIONS else "",
            "markersize": 7 if shown < FEW else 3.5,
        }
        label = f"newest {span} forecasts: {signed(newest, 3)}"
        axes.plot(places(live.sessions), skill, color=SPAN_COLOURS[span], label=label, **look)
    if live.skills:
        legend_above(axes)
    else:
        axes.set_ylim(-0.1, 0.1)
        note = f"{len(live):,} of {min(SPANS)} forecasts so far"
        axes.text(0.5, 0.6, note, transform=axes.transAxes, ha="center", fontsize=11, color=QUIET)
    plain_ticks(axes)
    return figure
