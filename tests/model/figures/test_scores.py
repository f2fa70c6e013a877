"""PIT histograms and cumulated CRPS: the bars, the band of chance and the lines are the numbers."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from model.artifact.distribution import PROBABILITIES
from model.evaluation.distribution import no_distributions
from model.figures.distribution import distribution_figures
from model.figures.scores import (
    Panel,
    chance_band,
    crps_figure,
    pit_counts,
    pit_figure,
    reliability,
    reliability_figure,
    saved_crps,
)
from model.figures.style import COLOURS
from tests.model.figures.given import distributed, texts

# One price at each of the quantiles of these probabilities, each in the middle of another tenth.
MIDDLES = np.linspace(0.05, 0.95, 10)
TENTHS = distributed([0.0]).quantiles[0, [PROBABILITIES.index(round(p, 2)) for p in MIDDLES]] - 100.0


@pytest.mark.parametrize(("sessions", "bars"), [(1, 10), (21, 10), (199, 10), (200, 20), (734, 20)])
def test_chance_is_the_binomial_distribution(sessions: int, bars: int) -> None:
    assert chance_band(sessions, bars) == tuple(binom.ppf((0.025, 0.975), sessions, 1 / bars))


def test_each_bar_is_as_high_as_prices_fell_into_it() -> None:
    evaluation = distributed(np.concatenate([TENTHS, TENTHS, [-50.0]]))
    assert list(pit_counts([evaluation])) == [3, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    (axes,) = pit_figure([Panel([evaluation])], "SAMPLE Open").axes
    bars = axes.patches[1:]  # after the band
    assert [bar.get_height() for bar in bars] == [3, 2, 2, 2, 2, 2, 2, 2, 2, 2]  # type: ignore[attr-defined]
    band = axes.patches[0]
    assert (band.get_y(), band.get_height()) == (0, 5)  # type: ignore[attr-defined]
    assert axes.get_title("left") == "0 of 10 bars outside the grey"


def test_intervals_too_narrow_pile_up_at_both_ends() -> None:
    figure = pit_figure([Panel([distributed([9.0, -9.0] * 20)])], "SAMPLE Open")
    (axes,) = figure.axes
    heights = [bar.get_height() for bar in axes.patches[1:]]  # type: ignore[attr-defined]
    assert heights == [20, 0, 0, 0, 0, 0, 0, 0, 0, 20]
    assert axes.get_title("left") == "10 of 10 bars outside the grey"
    assert "U: too narrow" in texts(figure)


def test_many_sessions_have_twenty_bars_and_those_without_distribution_do_not_count() -> None:
    evaluation = distributed(np.tile(TENTHS, 30))
    assert len(pit_counts([evaluation])) == 20
    gaps = replace(evaluation, quantiles=np.where(np.arange(300)[:, np.newaxis] < 150, np.nan, evaluation.quantiles))
    assert list(pit_counts([gaps])) == [15] * 10


def test_reliability_is_the_share_of_prices_at_or_below_each_quantile() -> None:
    # Half of the prices are below every quantile, half above.
    assert list(reliability([distributed([9.0, -9.0] * 20)])) == [0.5] * len(PROBABILITIES)
    evaluation = distributed(TENTHS)
    assert reliability([evaluation])[PROBABILITIES.index(0.95)] == 1.0
    assert reliability([evaluation])[PROBABILITIES.index(0.5)] == 0.5
    (axes,) = reliability_figure([Panel([evaluation])], "SAMPLE Open").axes
    curve = next(line for line in axes.get_lines() if line.get_label() == "forecast")
    assert np.asarray(curve.get_ydata()) == pytest.approx(100 * reliability([evaluation]))


def test_seeds_are_one_histogram_of_their_means() -> None:
    high, low = distributed([9.0] * 20), distributed([-9.0] * 20)
    assert list(pit_counts([high, low])) == [10, 0, 0, 0, 0, 0, 0, 0, 0, 10]


def test_presets_stand_side_by_side_in_their_colours() -> None:
    panels = [Panel([distributed(TENTHS)], name, colour) for name, colour in zip("abcd", COLOURS, strict=True)]
    for many in (1, 2, 3, 4):
        figure = pit_figure(panels[:many], "SAMPLE Open")
        shown = [axes for axes in figure.axes if axes.axison]
        assert [axes.get_title("left")[:2] for axes in shown] == [f"{name}:" for name in "abcd"[:many]]
        assert list(figure.get_size_inches()) == [10, 5]


def test_the_line_ends_at_the_mean_difference_times_the_sessions() -> None:
    evaluation = distributed([0.5, -1.5, 3.0, 0.0])
    metrics = evaluation.metrics()
    (axes,) = crps_figure([Panel([evaluation])], "SAMPLE Open").axes
    lines = {str(line.get_label()): np.asarray(line.get_ydata(), dtype=np.float64) for line in axes.get_lines()}
    naive = lines["the newest Close with its last 250 changes"]
    assert naive[-1] == pytest.approx(4 * (metrics["naive_crps"] - metrics["crps"]))
    assert naive[0] == pytest.approx(
        (evaluation.crps_of(evaluation.naive_quantiles["constant_250"]) - evaluation.crps_of(evaluation.quantiles))[0]
    )
    garch = lines["GARCH(1,1), Student t"]
    assert garch[-1] == pytest.approx(4 * (metrics["garch_t_crps"] - metrics["crps"]))
    assert f"CRPS {100 * metrics['crps'] / metrics['naive_crps']:.1f} % of" in axes.get_title("left")


def test_sessions_that_lack_a_distribution_add_nothing() -> None:
    evaluation = distributed([0.5, -1.5, 3.0])
    theirs = evaluation.naive_quantiles["constant_250"].copy()
    theirs[1] = np.nan
    saved = saved_crps([evaluation], theirs)
    assert saved[1] == saved[0]
    assert np.isfinite(saved).all()


def test_of_a_single_session_the_two_can_be_told_apart() -> None:
    figure = crps_figure([Panel([distributed([0.5])])], "SAMPLE Open")
    _, naive, garch = figure.axes[0].get_lines()
    assert (naive.get_fillstyle(), garch.get_fillstyle()) == ("full", "none")
    (legend,) = figure.legends
    assert [mark.get_fillstyle() for mark in legend.get_lines()] == ["full", "none"]


def test_where_there_is_no_garch_there_is_no_line_of_it() -> None:
    evaluation = replace(distributed([0.5, -1.5]), statistical_quantiles={})
    (axes,) = crps_figure([Panel([evaluation])], "SAMPLE Open").axes
    assert len(axes.get_lines()) == 2  # the naive distribution's, and the one at 0


def test_figures_that_cannot_be_drawn_are_left_out() -> None:
    evaluation = distributed(np.tile(TENTHS, 2))
    assert list(distribution_figures(evaluation, "SAMPLE Open")) == ["forecast", "scale", "crps", "pit", "reliability"]
    assert list(distribution_figures(evaluation.part(slice(0, 19)), "SAMPLE Open")) == ["forecast", "scale", "crps"]
    alone = replace(evaluation, naive_quantiles={}, statistical_quantiles={})
    assert list(distribution_figures(alone, "SAMPLE Open")) == ["forecast", "scale", "pit", "reliability"]
    none = replace(evaluation, quantiles=no_distributions(20))
    assert distribution_figures(none, "SAMPLE Open") == {}


def test_the_fan_shows_the_newest_quarter() -> None:
    evaluation = distributed(np.tile(TENTHS, 10))
    figures = distribution_figures(evaluation, "SAMPLE Open")
    actual = figures["forecast"].axes[0].get_lines()[1]
    assert np.array_equal(actual.get_ydata(), evaluation.actual[-63:])
    assert "SAMPLE Open, the newest 63 of 100 sessions: forecast and actual price" in texts(figures["forecast"])
    assert "newest" not in texts(distribution_figures(evaluation.part(slice(0, 63)), "SAMPLE Open")["forecast"])
    # Where the newest have no distribution there is no fan, and the other figures stay.
    gaps = replace(evaluation, quantiles=np.where(np.arange(100)[:, np.newaxis] < 37, evaluation.quantiles, np.nan))
    assert list(distribution_figures(gaps, "SAMPLE Open")) == ["scale", "crps", "pit", "reliability"]
