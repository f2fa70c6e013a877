"""The frame of every figure."""

import pytest

from model.figures.style import new_figure

LONG = (
    "BRK.B Open, anchored, changed: lookback=40, network.units=[32,32], training.epochs=200, 2018-01-02 to 2020-11-30"
)


@pytest.mark.parametrize("characters", [40, 80, 112])
def test_title_and_subtitle_lie_within_the_figure_however_long_they_are(characters: int) -> None:
    figure = new_figure(LONG[:characters], LONG[:characters].upper() + LONG)
    for text in figure.texts:
        assert text.get_window_extent().x1 <= figure.bbox.x1
