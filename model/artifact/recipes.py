"""How raw prices become a network's inputs, and its outputs a distribution of prices.

A table is what is known: column name -> (n,) float64, one value per session, oldest first, prices or shares; `Date` is
in days since 1970. An origin is a session at whose close a forecast is made, for the session after it. Everything about
an origin is computed from a fixed number of sessions up to it: neither later nor older ones change a digit.
"""

import json
import math
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .distribution import Calibration
from .explained import width_factors
from .horizon import FurtherHorizon
from .market_state import StateBranch, market_state
from .other_series import series_state
from .scale import PRICES, MovementScale, Table, Values
from .series_input import SeriesInput

Inputs = npt.NDArray[np.float32]

# These bring inputs to about unit size, and cut off values too rare in a training part to learn from.
CHANGES_PER_SCALE, USUAL_VOLUME_CHANGE, LARGEST_INPUT = 1.5, 0.3, 6.0
# A correction of the scale beyond a factor of 20 is not learnt from anything.
LARGEST_CORRECTION = 3.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """The place of forecasts: an error is the actual price minus the centre, in units of the width.

    centre, width: (n,) in the recipe's own measure of prices
    usual:         (n,) the width by which the errors' median moves the centre
    """

    centre: Values
    width: Values
    usual: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(ABC):
    """How prices become the network's inputs, and its outputs a distribution.

    column:      the price that is forecast
    lookback:    the number of sessions in a window
    scale:       the market's present scale
    calibration: the quantiles of past errors
    """

    column: str
    lookback: int
    scale: MovementScale = field(default_factory=MovementScale)
    calibration: Calibration

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns that a forecast needs; a distribution needs all of `PRICES`."""

    @property
    @abstractmethod
    def rows(self) -> int:
        """The sessions that one forecast needs."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """The numbers that the network puts out for a window."""

    @property
    def features(self) -> int:
        """The numbers that the network sees of one session: one for each column."""
        return len(self.columns)

    @abstractmethod
    def inputs(self, table: Table, origins: int = 1) -> Inputs:
        """The newest `origins` windows, (origins, lookback, features); ValueError for missing or impossible prices."""

    @abstractmethod
    def targets(self, table: Table, n: int) -> Inputs:
        """(n,) what the network is fitted to for the newest n sessions, each from the sessions before it."""

    @abstractmethod
    def placed(self, outputs: Values, table: Table, following: float | None) -> Placed:
        """The forecasts' places, from the network's outputs (n, outputs) at the newest n sessions."""

    @abstractmethod
    def measure(self, dollars: Values) -> Values:
        """Prices in the measure that centre and width have."""

    @abstractmethod
    def dollars(self, measured: Values) -> Values:
        """The inverse of `measure`."""

    def offsets(self, table: Table, n: int, following: float | None) -> Values:  # noqa: ARG002 - most have none
        """(n,) what is added to the network's first output at the newest n sessions."""
        return np.zeros(n)

    def explained(self, outputs: Values, table: Table, following: float | None) -> dict[str, Values]:  # noqa: ARG002
        """(n,) by name: `usual_scale` times every `factor_...` is the width; empty where that is no such product."""
        return {}

    def to_json(self) -> str:
        """The recipe as it is stored with the network; of the next session alone, as before there were horizons."""
        kept = {name: value for name, value in asdict(self).items() if name != "further" or value}
        return json.dumps({"inputs": KINDS[type(self)], **kept})

    @staticmethod
    def from_json(text: str) -> "Recipe":
        """The inverse of `to_json`."""
        raw = json.loads(text)
        raw["scale"] = MovementScale(**raw["scale"])
        raw["calibration"] = Calibration(**{name: _frozen(value) for name, value in raw["calibration"].items()})
        if raw.get("branch") is not None:
            raw["branch"] = StateBranch(**{name: _frozen(value) for name, value in raw["branch"].items()})
        if "series" in raw:
            named = ({name: _frozen(value) for name, value in each.items()} for each in raw["series"])
            raw["series"] = tuple(SeriesInput(**each) for each in named)
        if "further" in raw:
            raw["further"] = tuple(FurtherHorizon.from_json(each) for each in raw["further"])
        return RECIPES[raw.pop("inputs")](**raw)

    def _newest(self, table: Table, name: str, origins: int, least: float = 0.0) -> Values:
        """A column's newest values for `origins` windows; ValueError for too few, or one that is not above `least`."""
        needed = self.rows + origins - 1
        if name not in table:
            raise ValueError(f"no column {name}: forecasts are made from {', '.join(self.columns)}")
        if origins < 1 or len(table[name]) < needed:
            raise ValueError(
                f"{origins} forecast(s) from {len(table[name])} sessions of {name}: "
                f"at least {max(needed, self.rows)} sessions are needed, {self.rows} for one forecast"
            )
        newest = np.asarray(table[name][-needed:], dtype=np.float64)
        if not np.isfinite(newest).all() or (newest <= least).any():
            raise ValueError(f"{name} holds a missing, infinite, zero or negative value in the sessions needed")
        return newest


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRecipe(Recipe):
    """The tutorial's way: both the network's inputs and its output are price levels.

    The output is the centre, in dollars; the width is the market's scale.

    minimum, maximum: of the training part, in dollars; this range is scaled to 0..1
    """

    minimum: float
    maximum: float

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    @property
    def rows(self) -> int:
        """A window."""
        return self.lookback

    @property
    def outputs(self) -> int:
        """The scaled price."""
        return 1

    def scaled(self, dollars: Values) -> Inputs:
        """Prices in units of the training part's range; prices beyond it lie outside 0..1."""
        return ((dollars - self.minimum) / (self.maximum - self.minimum)).astype(np.float32)

    def inputs(self, table: Table, origins: int = 1) -> Inputs:
        """(origins, lookback, 1), a view of the scaled series."""
        series = self.scaled(self._newest(table, self.column, origins))
        return np.lib.stride_tricks.sliding_window_view(series, self.lookback)[:, :, np.newaxis]

    def targets(self, table: Table, n: int) -> Inputs:
        """The scaled prices themselves."""
        return self.scaled(table[self.column][-n:])

    def placed(self, outputs: Values, table: Table, following: float | None) -> Placed:  # noqa: ARG002
        """The inverse of `scaled`, and the scale in dollars."""
        centre = outputs[:, 0] * (self.maximum - self.minimum) + self.minimum
        width = self.scale.dollars(table, len(outputs))
        return Placed(centre=centre, width=width, usual=width)

    def measure(self, dollars: Values) -> Values:
        """Dollars."""
        return dollars

    def dollars(self, measured: Values) -> Values:
        """Dollars."""
        return measured


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRecipe(Recipe):
    """The network's inputs are changes from the Close before; its outputs say how far the next price may lie from it.

    All of them are logarithmic and divided by the scale of the day before, so that calm and volatile years look alike.
    The first output plus the linear branch's is the logarithm of the distribution's width, in scales. The second is the
    distribution's shift from the newest Close, in scales.

    The predictable part of the direction does not grow with volatility, but the errors do. So shift and median are
    measured in at most the scale of an ordinary market.

    shrinkage: the share of the shift that is used; 0 would leave the newest Close
    ordinary:  the scale of an ordinary market: the training part's median
    branch:    the linear branch; None before it is fitted
    series:    the other series that the branch sees
    further:   the horizons beyond the next session, each with a width of its own and without the network
    """

    shrinkage: float
    ordinary: float = math.inf
    branch: StateBranch | None = None
    series: tuple[SeriesInput, ...] = ()
    further: tuple[FurtherHorizon, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All but the adjusted Close."""
        return (*PRICES, "Volume")

    @property
    def rows(self) -> int:
        """A window, the scale before its first session, and the Close before that."""
        return self.lookback + self.scale.rows

    @property
    def outputs(self) -> int:
        """The logarithm of the width's factor, and the shift."""
        return 2

    def inputs(self, table: Table, origins: int = 1) -> Inputs:
        """(origins, lookback, 5): open, high, low and close against the Close before, and the change of the volume."""
        needed = {name: self._newest(table, name, origins) for name in PRICES}
        volume = np.log(np.maximum(self._newest(table, "Volume", origins, least=-1.0), 1.0))
        scales = self.scale.at(needed, self.lookback + origins)[:-1]
        prices = np.column_stack([needed[name] for name in PRICES])[-len(scales) :]
        anchors = needed["Close"][-len(scales) - 1 : -1, np.newaxis]
        changes = CHANGES_PER_SCALE * np.log(prices / anchors) / scales[:, np.newaxis]
        busy = np.diff(volume)[-len(scales) :, np.newaxis] / USUAL_VOLUME_CHANGE
        features = np.clip(np.hstack([changes, busy]), -LARGEST_INPUT, LARGEST_INPUT).astype(np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(features, self.lookback, axis=0)
        return windows.transpose(0, 2, 1)

    def targets(self, table: Table, n: int) -> Inputs:
        """The change from the Close before, in scales."""
        known = {name: table[name][:-1] for name in PRICES}
        change = np.log(table[self.column][-n:] / known["Close"][-n:])
        return np.asarray(change / self.scale.at(known, n), dtype=np.float32)

    def offsets(self, table: Table, n: int, following: float | None) -> Values:
        """The linear branch's correction of the scale."""
        if self.branch is None:
            return np.zeros(n)
        return self.branch.correction(self.state(table, n, following))

    def state(self, table: Table, n: int, following: float | None) -> Values:
        """(n, inputs of the branch) the market's state at the newest n sessions, then what other series say."""
        own = market_state(table, n, following, self.scale)
        return np.hstack([own, series_state(table, n, self.series, self.scale)]) if self.series else own

    def placed(self, outputs: Values, table: Table, following: float | None) -> Placed:
        """The newest Close, moved by the shift times `shrinkage`; as wide as scale, branch and network say."""
        n = len(outputs)
        scale = self.scale.at(table, n)
        usual = np.minimum(scale, self.ordinary)
        correction = np.clip(self.offsets(table, n, following) + outputs[:, 0], -LARGEST_CORRECTION, LARGEST_CORRECTION)
        centre = np.log(table["Close"][-n:]) + self.shrinkage * outputs[:, 1] * usual
        return Placed(centre=centre, width=scale * np.exp(correction), usual=usual)

    def explained(self, outputs: Values, table: Table, following: float | None) -> dict[str, Values]:
        """As `width_factors` says."""
        n = len(outputs)
        state = self.state(table, n, following)
        scale = self.scale.at(table, n)
        return width_factors(scale, self.ordinary, self.branch, state, outputs[:, 0], LARGEST_CORRECTION)

    def measure(self, dollars: Values) -> Values:
        """The logarithm: a price can double or halve, but not fall below 0."""
        return np.log(dollars)

    def dollars(self, measured: Values) -> Values:
        """The inverse of the logarithm."""
        return np.exp(measured)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


RECIPES: dict[str, type[Recipe]] = {"level": LevelRecipe, "changes": ChangeRecipe}
KINDS = {recipe: name for name, recipe in RECIPES.items()}
