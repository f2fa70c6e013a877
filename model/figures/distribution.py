"""The figures of one evaluation's distributions, as a training and a version in use have them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from model.evaluation.distribution import given
from model.evaluation.evaluation import Evaluation
from model.figures.fan import FAN_SESSIONS, fan_figure, scale_figure
from model.figures.scores import Panel, beside, crps_figure, pit_figure, reliability_figure
from model.figures.style import period, period_of_newest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# With fewer there are no bars, only single sessions.
FEWEST_FOR_PIT = 20


def distribution_figures(evaluation: Evaluation, subject: str) -> Mapping[str, "Figure"]:
    """Figures by name: forecast, scale, crps, pit and reliability, each where there are enough sessions for it.

    `forecast` is of the newest sessions, with their intervals.

    Without distributions there are no figures.
    """
    with_any = given(evaluation.quantiles)
    if not with_any.any():
        return {}
    newest, title = evaluation.part(slice(-FAN_SESSIONS, None)), f"{subject}, {period(evaluation.sessions)}"
    figures = {}
    if given(newest.quantiles).any():
        title_of_newest = f"{subject}, {period_of_newest(newest.sessions, len(with_any))}: forecast and actual price"
        figures["forecast"] = fan_figure(newest, title_of_newest)
    figures["scale"] = scale_figure(evaluation, f"{title}: interval width and moves")
    if beside(evaluation):
        figures["crps"] = crps_figure([Panel([evaluation])], f"{title}: cumulated CRPS difference")
    if with_any.sum() >= FEWEST_FOR_PIT:
        figures["pit"] = pit_figure([Panel([evaluation])], f"{title}: PIT histogram")
        figures["reliability"] = reliability_figure([Panel([evaluation])], f"{title}: reliability")
    return figures
