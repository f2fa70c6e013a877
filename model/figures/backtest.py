"""Figures of a backtest: skill against the naive forecasts by month and summed up, calibration, the forecasts."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from model.backtest.result import BacktestResult, PresetResult
from model.evaluation.baselines import naive_label
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.e_process import weigh
from model.figures.axis import places, session_axis
from model.figures.evidence import ENOUGH, evidence_figure
from model.figures.fan import FAN_SESSIONS, draw_intervals, fan_figure, scale_figure
from model.figures.scores import Panel, beside, crps_figure, pit_figure, reliability_figure
from model.figures.style import (
    ACTUAL,
    COLOURS,
    FORECAST,
    NAIVE,
    QUIET,
    legend_above,
    new_figure,
    panel_title,
    period_of_newest,
    signed,
    style,
)
from model.market.prices import Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WINDOW = 63  # sessions: a quarter
ROW = 2.6  # inches for each preset


def backtest_figures(result: BacktestResult) -> Mapping[str, "Figure"]:
    """Every figure of a backtest by name; those of distributions only where some forecasts have them."""
    title = f"{result.subject}, {result.period}"
    panels = [
        Panel(preset.evaluations, preset.name, colour)
        for preset, colour in zip(result.presets, cycle(COLOURS), strict=False)
        if all(evaluation.intervals for evaluation in preset.evaluations)
    ]
    figures = {}
    if panels and beside(panels[0].evaluations[0]):
        figures["cumulated-crps"] = crps_figure(panels, f"{title}: cumulated CRPS difference")
    figures |= _evidence(result, panels)
    figures |= {"skill-by-month": skill_figure(result), "cumulated-error": cumulated_figure(result)}
    if panels:
        figures["pit"] = pit_figure(panels, f"{title}: PIT histogram")
        figures["reliability"] = reliability_figure(panels, f"{title}: reliability")
        figures["calibration"] = calibration_figure(result)
    for panel in panels:
        figures |= _widths(result, panel)
    for preset in result.presets:
        figures[f"forecasts-{preset.name}"] = forecasts_figure(result, preset)
    return figures


def _evidence(result: BacktestResult, panels: Sequence[Panel]) -> Iterator[tuple[str, "Figure"]]:
    """The odds that each preset beats the naive distributions; of its first seed."""
    for panel in panels:
        evaluation = panel.evaluations[0]
        if evidence := weigh(evaluation):
            subject = f"{result.subject}, {_of_first_seed(result, panel)}"
            yield f"evidence-{panel.name}", evidence_figure(evaluation.sessions, evidence, ENOUGH, subject)


def _widths(result: BacktestResult, panel: Panel) -> Iterator[tuple[str, "Figure"]]:
    """The fan of a preset's newest sessions, and its intervals' width over all of them; of its first seed."""
    evaluation = panel.evaluations[0]
    newest = evaluation.part(slice(-FAN_SESSIONS, None))
    name = _of_first_seed(result, panel)
    if newest.intervals:
        when = period_of_newest(newest.sessions, len(evaluation.sessions))
        yield f"fan-{panel.name}", fan_figure(newest, f"{result.subject}, {when}: distribution of {name}", panel.colour)
    title = f"{result.subject}, {result.period}: interval width of {name}"
    yield f"scale-{panel.name}", scale_figure(evaluation, title, panel.colour)


def _of_first_seed(result: BacktestResult, panel: Panel) -> str:
    """A preset's name, with its first seed where there are several."""
    return f"{panel.name}, seed {next(iter(result.presets[0].by_seed))}" if _several_seeds(result) else panel.name


def skill_figure(result: BacktestResult) -> "Figure":
    """Draw each month's skill against the naive forecast that is best over all; whiskers reach over the seeds."""
    figure = new_figure(
        f"{result.subject}, {result.period}: RMSE skill by month",
        f"above 0 is better than {naive_label(result.reference.best_naive)}"
        + ("   ·   bars: mean of the seeds, whiskers: lowest to highest" if _several_seeds(result) else ""),
        _height(result),
    )
    for axes, preset, colour in _rows(figure, result):
        months = preset.months
        firsts = np.array([f"{month.month}-01" for month in months], dtype="datetime64[D]")
        # A month in which the naive forecast made no error has no finite skill.
        skills = np.array([[value if np.isfinite(value) else np.nan for value in month.skills] for month in months])
        mean = skills.mean(axis=1)
        reach = np.abs(np.stack([skills.min(axis=1), skills.max(axis=1)]) - mean)
        style(axes, "RMSE skill")
        session_axis(axes, firsts, name="")
        whiskers = {"elinewidth": 1, "ecolor": QUIET}
        yerr = reach if _several_seeds(result) else None
        axes.bar(places(firsts), mean, 0.75, color=colour, label=preset.name, yerr=yerr, error_kw=whiskers)
        axes.axhline(0, color=ACTUAL, linewidth=0.9)
        better = int((mean > 0).sum())
        _name(axes, f"{preset.name}: better in {better} of {len(months)} months, skill {preset.metrics['skill']:+.4f}")
    return figure


def cumulated_figure(result: BacktestResult) -> "Figure":
    """Draw the squared error saved against the naive forecast, summed up from the first session on."""
    naive, money = result.reference.best_naive, result.reference.money
    squared = f"squared {'dollars' if money.unit == 'USD' else money.unit or 'prices'}"
    # As many digits as the square of half a cent has, or of half the last digit.
    digits = max(money.digits, 2 * money.digits - 2)
    figure = new_figure(
        f"{result.subject}, {result.period}: cumulated squared error",
        f"of {naive_label(naive)} minus that of the forecast: rising is better than naive"
        + ("   ·   thin: seed by seed" if _several_seeds(result) else ""),
        _height(result),
    )
    for axes, preset, colour in _rows(figure, result):
        saved = np.array([_saved(evaluation, naive) for evaluation in preset.evaluations])
        sessions = result.reference.sessions
        style(axes, squared, sessions)
        if len(saved) > 1:
            for line in saved:
                axes.plot(places(sessions), line, color=colour, linewidth=0.7, alpha=0.5)
        axes.plot(places(sessions), saved.mean(axis=0), color=colour, linewidth=1.8, label=preset.name)
        axes.axhline(0, color=ACTUAL, linewidth=0.9)
        _name(axes, f"{preset.name}: {signed(float(saved.mean(axis=0)[-1]), digits)} {squared} in all")
    return figure


def calibration_figure(result: BacktestResult) -> "Figure":
    """Draw the share of prices within the intervals beside the promised share, in all and over time."""
    window = min(WINDOW, len(result.reference.sessions))
    figure = new_figure(
        f"{result.subject}, {result.period}: calibration of the intervals",
        "share of the prices within the intervals; dashed: the share that they promise"
        f"   ·   right: of the {window} sessions before",
    )
    whole, course = figure.subplots(1, 2, width_ratios=(2, 3))
    figure.subplots_adjust(wspace=0.2)
    style(whole, "held (%)")
    style(course, "", result.reference.sessions)
    whole.set_xlabel("promised (%)", fontsize=11)
    for preset, colour in zip(result.presets, cycle(COLOURS), strict=False):
        _calibration(whole, preset, colour)
        _course(course, preset, colour)
    low = min(*whole.get_ylim(), *whole.get_xlim())
    whole.plot([low, 100], [low, 100], color=NAIVE, linestyle="--", linewidth=1.1)
    legend_above(whole)
    return figure


def forecasts_figure(result: BacktestResult, preset: PresetResult) -> "Figure":
    """Draw one preset's forecasts and intervals with the actual prices, over all sessions."""
    seed, evaluation = next(iter(preset.by_seed.items()))
    levels = ", ".join(f"{100 * level:g}" for level in sorted(evaluation.intervals))
    figure = new_figure(
        f"{result.subject}, {result.period}: forecasts of {preset.name}",
        f"one session ahead, seed {seed}" + (f"   ·   intervals at {levels} %" if levels else ""),
    )
    axes = figure.subplots()
    style(axes, evaluation.money.label("price"), evaluation.sessions)
    draw_intervals(axes, evaluation)
    axes.plot(places(evaluation.sessions), evaluation.forecast, color=FORECAST, linewidth=1.0, label="forecast")
    axes.plot(places(evaluation.sessions), evaluation.actual, color=ACTUAL, linewidth=0.7, label="actual")
    legend_above(axes, "actual", "forecast")
    return figure


def _rows(figure: "Figure", result: BacktestResult) -> "list[tuple[Axes, PresetResult, str]]":
    """Axes below one another, one for each preset: their values differ too much for a common scale."""
    figure.subplots_adjust(hspace=0.45, top=figure.subplotpars.top - 0.25 / figure.get_figheight())
    rows = figure.subplots(len(result.presets), 1, squeeze=False)[:, 0]
    for axes in rows[:-1]:
        axes.sharex(rows[-1])
    return list(zip(rows, result.presets, cycle(COLOURS), strict=False))


def _name(axes: "Axes", text: str) -> None:
    panel_title(axes, text)
    axes.set_xlabel("")


def _height(result: BacktestResult) -> float:
    return max(5.0, 1.5 + ROW * len(result.presets))


def _several_seeds(result: BacktestResult) -> bool:
    return len(result.presets[0].by_seed) > 1


def _saved(evaluation: Evaluation, naive: str) -> Values:
    theirs, ours = (np.square(made - evaluation.actual) for made in (evaluation.naive[naive], evaluation.forecast))
    return np.cumsum(theirs - ours)


def _calibration(axes: "Axes", preset: PresetResult, colour: str) -> None:
    levels = sorted(preset.evaluations[0].intervals)
    held = [100 * np.mean([evaluation.coverage(level).value for evaluation in preset.evaluations]) for level in levels]
    if levels:
        meant = [100 * level for level in levels]
        axes.plot(meant, held, color=colour, marker="o", linewidth=1.2, label=preset.name)


def _course(axes: "Axes", preset: PresetResult, colour: str) -> None:
    """The coverage in a moving window, all seeds together."""
    sessions = preset.evaluations[0].sessions
    window = np.ones(min(WINDOW, len(sessions)))
    for level in sorted(preset.evaluations[0].intervals):
        held = np.mean([_held(evaluation, level) for evaluation in preset.evaluations], axis=0)
        share = 100 * np.convolve(held, window / len(window), mode="valid")
        axes.plot(places(sessions)[len(window) - 1 :], share, color=colour, linewidth=1.2)
        axes.axhline(100 * level, color=NAIVE, linestyle="--", linewidth=0.9)


def _held(evaluation: Evaluation, level: float) -> Values:
    lower, upper = evaluation.intervals[level]
    return ((lower <= evaluation.actual) & (evaluation.actual <= upper)).astype(np.float64)
