"""An explanation is a product that comes out, and a sentence that says the strongest factor first."""

import math

import numpy as np
import pytest

from model.artifact.distribution import PROBABILITIES, quantile_column
from model.forecaster.explanation import Explanation, why_unexplained
from model.forecaster.forecasts import Forecasts
from tests.distributions import around

FACTORS = {"moves": 1.25, "direction": 1.004, "echo": 1.1, "volume": 0.8, "network": 1.0}
SCALE = 0.02 * 1.25 * 1.004 * 1.1 * 0.8
MADE = Explanation(usual=0.02, factors=FACTORS, scale=SCALE)


def columns(**changes: float) -> dict[str, np.ndarray]:
    given = {
        "scale": SCALE,
        "usual_scale": 0.02,
        "factor_limit": 1.0,
        **{f"factor_{name}": value for name, value in FACTORS.items()},
    } | changes
    return {name: np.array([7.0, value]) for name, value in given.items()}


@pytest.mark.parametrize(
    "wrong", [{"scale": 0.03}, {"usual": 0.0}, {"factors": FACTORS | {"echo": -1.1}}, {"scale": math.nan}]
)
def test_a_product_that_does_not_come_out_is_refused(wrong: dict[str, object]) -> None:
    given: dict[str, object] = {"usual": 0.02, "factors": FACTORS, "scale": SCALE}
    assert Explanation(**given) == MADE  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"not above 0|not the scale"):
        Explanation(**given | wrong)  # type: ignore[arg-type]


def test_the_sentence_names_what_changes_most_first_and_leaves_out_what_is_written_as_1() -> None:
    assert MADE.times == pytest.approx(1.1044)
    assert MADE.sentence == (
        "1.10 times its usual width: 1.25 from the last sessions' moves, 0.80 from the volume, "
        "1.10 from an earnings-like date"
    )
    assert [factor.name for factor in MADE.strongest] == ["moves", "volume", "echo", "direction", "network"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("echo", 1.05, "an earnings-like date"),
        ("echo", 1.04, "the same days in past quarters"),
        ("echo", 0.9, "the same days in past quarters"),
        ("direction", 1.2, "which way the price went"),
        ("limit", 0.5, "the limit of the correction"),
        ("market", 1.03, "the other series"),
        ("mood", 1.03, "the mood"),
    ],
)
def test_each_factor_has_words(name: str, value: float, words: str) -> None:
    found = Explanation(usual=1.0, factors={name: value}, scale=value)
    assert found.sentence == f"{value:.2f} times its usual width: {value:.2f} from {words}"


def test_where_nothing_stands_out_the_sentence_ends_early() -> None:
    assert Explanation(usual=0.01, factors={"moves": 1.0}, scale=0.01).sentence == "1.00 times its usual width"


def test_it_is_read_from_the_newest_forecasts_columns_and_the_limit_only_where_it_bites() -> None:
    assert Explanation.from_columns(columns()) == MADE
    bitten = Explanation.from_columns(columns(factor_limit=0.5, scale=SCALE / 2))
    assert bitten is not None
    assert bitten.factors == FACTORS | {"limit": 0.5}
    assert Explanation.from_columns({"forecast": np.array([100.0])}) is None
    assert Explanation.from_columns(columns(factor_echo=math.nan)) is None


def test_factors_that_no_number_can_hold_cost_the_explanation_and_not_the_forecast() -> None:
    # A network's part of e to the 750, of which the limit leaves e to the 3.
    with np.errstate(over="ignore", under="ignore"):
        network, limit = np.exp(745.0), np.exp(-745.2)
    assert Explanation.from_columns(columns(factor_network=network, factor_limit=limit)) is None
    assert Explanation.from_columns(columns(factor_network=1e300, factor_limit=0.0)) is None


def test_a_forecast_without_a_distribution_has_no_explanation() -> None:
    quantiles = around(np.array([100.0, 101.0]), 1.0, 2.0)
    made = {quantile_column(p): quantiles[:, at] for at, p in enumerate(PROBABILITIES)}
    made |= {"forecast": quantiles[:, 12], **columns()}
    assert Forecasts.from_columns(made).explanation == MADE
    nothing = {name: np.full(2, math.nan) if name.startswith("quantile") else values for name, values in made.items()}
    assert Forecasts.from_columns(nothing).explanation is None


def test_it_is_said_why_there_is_none() -> None:
    assert why_unexplained(None).startswith("no explanation: the naive distribution")
    assert why_unexplained(3).startswith("no explanation on record")
