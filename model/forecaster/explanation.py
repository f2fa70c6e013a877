"""What made a forecast wide or narrow: its security's usual scale, and the factors whose product with it is its own.

A scale is the width of a distribution, as a share of the price: past errors in units of it become the quantiles. So
with the same past errors, a forecast of 1.42 times the usual scale is 1.42 times as wide as on a usual day.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from model.market.prices import Values

# From here on the echo is called an earnings-like date: a smaller one may be chance.
EARNINGS_LIKE = 1.05
WORDS = {
    "moves": "the last sessions' moves",
    "direction": "which way the price went",
    "echo": "the same days in past quarters",
    "market": "the other series",
    "limit": "the limit of the correction",
}
# The product may differ from the scale by its rounding.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A factor for people: its name, its value, and what it comes from in words."""

    name: str
    value: float
    words: str

    @property
    def shown(self) -> str:
        """The value as it is written."""
        return f"{self.value:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A scale as a product: `usual` times every one of `factors` is `scale`.

    usual:   the scale of the security on a usual day, as a share of the price, fixed at the fit
    factors: name -> number
    scale:   the forecast's own, as a share of the price
    """

    usual: float
    factors: Mapping[str, float]
    scale: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) and value > 0 for value in (self.usual, self.scale, *self.factors.values())):
            raise ValueError("a scale or a factor that is not above 0")
        if not math.isclose(self.usual * math.prod(self.factors.values()), self.scale, rel_tol=ROUNDING):
            raise ValueError("usual times the factors is not the scale")

    @classmethod
    def from_columns(cls, columns: "Mapping[str, Values]") -> Self | None:
        """Of the newest forecast, from the columns of `model.artifact.inference.forecast`; None where there is none."""
        found = {name: float(columns[name][-1]) for name in ("usual_scale", "scale") if name in columns}
        factors = {name.removeprefix("factor_"): float(columns[name][-1]) for name in columns if name[:7] == "factor_"}
        if factors.get("limit") == 1.0:
            del factors["limit"]
        if len(found) < 2 or not all(map(math.isfinite, (*found.values(), *factors.values()))):
            return None
        try:
            return cls(usual=found["usual_scale"], factors=factors, scale=found["scale"])
        except ValueError:  # factors so far out that a number cannot hold them: the forecast stands without
            return None

    @property
    def times(self) -> float:
        """How many times its usual width the distribution is wide."""
        return self.scale / self.usual

    @property
    def strongest(self) -> tuple[Factor, ...]:
        """The factors, those that change most first."""
        order = sorted(self.factors.items(), key=lambda item: -abs(math.log(item[1])))
        return tuple(Factor(name=name, value=value, words=_words(name, value)) for name, value in order)

    @property
    def shown(self) -> tuple[Factor, ...]:
        """Those that are not 1.00 as they are written."""
        return tuple(factor for factor in self.strongest if factor.shown != "1.00")

    @property
    def sentence(self) -> str:
        """How wide the distribution is, and what made it so; without a full stop."""
        parts = ", ".join(f"{factor.shown} from {factor.words}" for factor in self.shown)
        return f"{self.times:.2f} times its usual width{f': {parts}' if parts else ''}"


def why_unexplained(version: int | None) -> str:
    """Why a recorded forecast has no explanation, for people; without a full stop."""
    if version is None:
        return "no explanation: the naive distribution is made of past changes, not of factors"
    return (
        "no explanation on record: only presets like anchored have a width that is a product of factors, and older "
        "forecasts were recorded without one"
    )


def _words(name: str, value: float) -> str:
    if name == "echo" and value >= EARNINGS_LIKE:
        return "an earnings-like date"
    return WORDS.get(name, f"the {name}")
