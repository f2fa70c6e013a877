"""The figure of the vanishing gradient: lengths of gradients by layer and by step back in time."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from model.figures.style import QUIET, legend_of_all, new_figure, panel_title, style
from model.market.prices import Values
from model.training.gradients import GradientNorms

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The layer next to the inputs is the darkest.
LAYER_COLOURS = ("#135485", "#3f8fc4", "#e08a1e", "#8c8c8c")


def gradients_figure(norms: GradientNorms, subject: str) -> "Figure | None":
    """Draw every layer's gradient norms with fresh weights and after the fit, on one logarithmic scale.

    A panel whose gradients are all zero is left out: with fresh weights, if the output's weights start at zero; after
    the fit, if the weights of such a start were kept. None if both are left out.
    """
    when = {"gradient_ratio_start": "with fresh weights", "gradient_ratio": "after the fit"}
    parts = [f"{ratio:.1e} {when[name]}" for name, ratio in norms.ratios().items()]
    steps = norms.end.shape[1]
    both = {"with fresh weights": norms.start, "after the fit": norms.end}
    panels = {name: values for name, values in both.items() if (values > 0).any()}
    if not panels:
        return None
    return norms_figure(
        panels,
        f"{subject}: gradients by step back in time",
        f"layer 1, {steps - 1} steps back, as a share of the newest step: {'   ·   '.join(parts)}",
    )


def norms_figure(panels: Mapping[str, Values], title: str, subtitle: str) -> "Figure":
    """Draw gradient norms, (layers, steps) a panel, side by side on one scale."""
    figure = new_figure(title, subtitle)
    figure.subplots_adjust(left=0.11)  # room for powers of ten with a factor
    (row,) = figure.subplots(1, len(panels), sharey=True, squeeze=False)
    for axes, (name, values) in zip(row, panels.items(), strict=True):
        style(axes, "mean norm of dL/dh (log scale)" if axes is row[0] else "")
        panel_title(axes, name)
        _lines(axes, values)
    drawn = [axes for axes in row if axes.get_lines()]
    if drawn:
        drawn[-1].set_yscale("log")
        legend_of_all(figure, *drawn[-1].get_legend_handles_labels())
    return figure


def _lines(axes: "Axes", values: Values) -> None:
    """One line a layer, the newest step on the left; zero has no place on a logarithmic scale."""
    from matplotlib.ticker import MaxNLocator

    back = np.arange(values.shape[1])
    axes.set_xlabel("steps back in time")
    axes.set_xlim(-0.5, max(len(back) - 0.5, 1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if not (values > 0).any():
        axes.text(0.5, 0.5, "all are zero", transform=axes.transAxes, ha="center", color=QUIET)
        return
    marker = "." if len(back) < 30 else ""
    for layer, norms in enumerate(values):
        shown = np.where(norms > 0, norms, np.nan)[::-1]
        colour = LAYER_COLOURS[layer % len(LAYER_COLOURS)]
        axes.plot(back, shown, color=colour, linewidth=1.6, marker=marker, label=f"layer {layer + 1}")
