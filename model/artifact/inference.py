"""From raw prices to dollars: the same code in training, in evaluation and in the registered model.

This file is a part of every registered model, so that an old version forecasts as it did when it was judged. It
therefore stands alone: NumPy and the standard library, nothing of this project.

A table is what is known: column name -> (n,) float64, one value a session, oldest first, dollars or shares. An
origin is a session at whose close a forecast is made, for the session after it. Everything about an origin is computed
from the sessions up to it, from as many of them as are needed and no more: neither later sessions nor the number of
earlier ones change a digit.
"""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Inputs = npt.NDArray[np.float32]
Table = Mapping[str, Values]

PRICES = ("Open", "High", "Low", "Close")
# The levels of intervals, in per cent, and the probabilities at which a distribution's quantiles are kept. Between 0.1 and
# 0.9 they lie evenly, and denser towards the ends: CRPS from these quantiles is within 0.3 % of the exact one.
LEVELS = (80, 95)
PROBABILITIES = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5),
    *(0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995),
)

# The log range of a random walk within a session is this many times its standard deviation (Parkinson).
RANGE = math.sqrt(4 * math.log(2))
# The smallest scale, one hundredth of a per cent: prices that do not move have no scale to divide by.
LEAST_SCALE = 1e-4
# These bring inputs to about unit size, and cut off values too rare in a training part to learn from.
CHANGES_PER_SCALE, USUAL_VOLUME_CHANGE, LARGEST_INPUT = 1.5, 0.3, 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How volatile the market is, and how wide intervals are in units of that volatility.

    A session's movement is the size of its overnight jump and its range, as a share of the price. Their weighted mean
    over the newest sessions is the scale; an interval is the forecast plus and minus so many scales.

    sessions:  how many sessions the mean is taken over
    half_life: after so many sessions the recent part of the weights has halved
    recent:    the share of the recent part; the rest is spread evenly
    widths:    level in per cent -> half an interval's width in scales; absent where there were too few errors
    """

    sessions: int = 39
    half_life: float = 2.0
    recent: float = 0.8
    widths: Mapping[str, float] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """The sessions that one scale needs, among them the one whose Close the first jump is measured from."""
        return self.sessions + 1

    def scale(self, table: Table, origins: int) -> Values:
        """(origins,) the scale at the newest sessions; NaN where columns, sessions or usable prices are missing."""
        scale = np.full(origins, np.nan)
        if not all(name in table for name in PRICES):
            return scale
        newest = origins + self.sessions
        open_, high, low, close = (np.asarray(table[name][-newest:], dtype=np.float64) for name in PRICES)
        if len(close) < self.rows:
            return scale
        with np.errstate(all="ignore"):  # an impossible price makes the scale NaN
            moves = np.abs(np.log(open_[1:] / close[:-1])) + np.log(high[1:] / low[1:]) / RANGE
            windows = np.lib.stride_tricks.sliding_window_view(moves, self.sessions)
            # Summed row by row: a product of matrices rounds by how many rows it has.
            means = (windows * self._weights()).sum(axis=1)
        scale[origins - len(means) :] = np.where(np.isfinite(means), np.maximum(means, LEAST_SCALE), np.nan)
        return scale

    def dollars(self, table: Table, origins: int) -> Values:
        """(origins,) the scale in dollars."""
        scale = self.scale(table, origins)
        return scale * np.asarray(table["Close"][-origins:], dtype=np.float64) if "Close" in table else scale

    def _weights(self) -> Values:
        """(sessions,) oldest first; they sum to 1."""
        fading = 0.5 ** (np.arange(self.sessions)[::-1] / self.half_life)
        return np.asarray(self.recent * fading / fading.sum() + (1 - self.recent) / self.sessions, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(ABC):
    """How prices become the network's inputs, and its outputs dollars.

    column:   the price that is forecast
    lookback: the number of sessions in a window
    spread:   the intervals around the forecasts
    """

    column: str
    lookback: int
    spread: Spread = field(default_factory=Spread)

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns that a forecast needs; intervals need all of `PRICES`."""

    @property
    @abstractmethod
    def rows(self) -> int:
        """The sessions that one forecast needs."""

    @property
    def features(self) -> int:
        """The numbers that the network sees of one session: one for each column."""
        return len(self.columns)

    @abstractmethod
    def inputs(self, table: Table, origins: int = 1) -> Inputs:
        """The newest `origins` windows, (origins, lookback, features); ValueError for missing or impossible prices."""

    @abstractmethod
    def targets(self, table: Table, n: int) -> Inputs:
        """(n,) what the network should put out for the newest n sessions, each from the sessions before it."""

    @abstractmethod
    def dollars(self, outputs: Values, table: Table) -> Values:
        """(n,) the network's outputs (n,) at the newest n sessions, as prices in dollars."""

    def to_json(self) -> str:
        """The recipe as it is stored with the network."""
        return json.dumps({"inputs": KINDS[type(self)], **asdict(self)}, indent=2)

    @staticmethod
    def from_json(text: str) -> "Recipe":
        """The inverse of `to_json`."""
        raw = json.loads(text)
        return RECIPES[raw.pop("inputs")](**{**raw, "spread": Spread(**raw["spread"])})

    def _newest(self, table: Table, name: str, origins: int, least: float = 0.0) -> Values:
        """What `origins` windows need of a column; ValueError where it has less, or values not above `least`."""
        needed = self.rows + origins - 1
        if name not in table:
            raise ValueError(f"no column {name}: forecasts are made from {', '.join(self.columns)}")
        if origins < 1 or len(table[name]) < needed:
            raise ValueError(
                f"{origins} forecast(s) from {len(table[name])} sessions of {name}: "
                f"needed are at least {max(needed, self.rows)} sessions, {self.rows} a forecast"
            )
        newest = np.asarray(table[name][-needed:], dtype=np.float64)
        if not np.isfinite(newest).all() or (newest <= least).any():
            raise ValueError(f"{name} holds a missing, infinite, zero or negative value in the sessions needed")
        return newest


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRecipe(Recipe):
    """The tutorial's way: both the network's inputs and its output are price levels.

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

    def dollars(self, outputs: Values, table: Table) -> Values:  # noqa: ARG002 - a level needs no anchor
        """The inverse of `scaled`."""
        return outputs * (self.maximum - self.minimum) + self.minimum


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRecipe(Recipe):
    """The network's inputs are changes from the Close before; its output is the change from the newest Close.

    All of them are logarithmic and divided by the scale of the day before, so that calm and volatile years look
    alike. An output is converted to dollars with at most the scale of an ordinary market: what can be predicted does
    not grow with volatility, but the errors do.

    shrinkage: the share of the network's output that is used; 0 would leave the newest Close
    ordinary:  the scale of an ordinary market: the training part's median
    """

    shrinkage: float
    ordinary: float

    @property
    def columns(self) -> tuple[str, ...]:
        """All but the adjusted Close."""
        return (*PRICES, "Volume")

    @property
    def rows(self) -> int:
        """A window, the scale before its first session, and the Close before that."""
        return self.lookback + self.spread.rows

    def inputs(self, table: Table, origins: int = 1) -> Inputs:
        """(origins, lookback, 5): open, high, low and close against the Close before, and the change of the volume."""
        needed = {name: self._newest(table, name, origins) for name in PRICES}
        volume = np.log(np.maximum(self._newest(table, "Volume", origins, least=-1.0), 1.0))
        scales = self.spread.scale(needed, self.lookback + origins)[:-1]
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
        return np.asarray(change / self.spread.scale(known, n), dtype=np.float32)

    def dollars(self, outputs: Values, table: Table) -> Values:
        """The newest Close, moved by the output times `shrinkage`."""
        n = len(outputs)
        scale = np.minimum(self.spread.scale(table, n), self.ordinary)
        return np.asarray(table["Close"][-n:] * np.exp(self.shrinkage * outputs * scale), dtype=np.float64)


RECIPES: dict[str, type[Recipe]] = {"level": LevelRecipe, "changes": ChangeRecipe}
KINDS = {recipe: name for name, recipe in RECIPES.items()}


def quantile_column(probability: float) -> str:
    """The name of a quantile among the columns of a forecast, such as `quantile_0.025`."""
    return f"quantile_{probability:g}"


def network_output(network: Any, windows: Inputs) -> Values:
    """(n,) a network's outputs for n windows: the mean over its members."""
    members = np.asarray(network.predict_on_batch(np.ascontiguousarray(windows)), dtype=np.float64)
    return np.asarray(members.mean(axis=1), dtype=np.float64)


def forecast(network: Any, recipe: Recipe, table: Table, origins: int = 1) -> dict[str, Values]:
    """Forecasts in dollars made at the newest sessions of a table, each for the session after: (origins,) by name.

    `forecast`, and the bounds of each level, such as `lower_80` and `upper_80`: NaN where the recipe has no width or
    the table too few prices.

    network: a Keras model or a NumpyNetwork, from (n, lookback, features) to (n, members). Each window is computed by
             itself, so that no digit of a forecast depends on how many others are made beside it.
    """
    windows = recipe.inputs(table, origins)
    outputs = np.concatenate([network_output(network, windows[i : i + 1]) for i in range(origins)])
    middle = recipe.dollars(outputs, table)
    scale = recipe.spread.dollars(table, origins)
    made = {"forecast": middle}
    for level in LEVELS:
        half = scale * recipe.spread.widths.get(str(level), np.nan)
        made |= {f"lower_{level}": middle - half, f"upper_{level}": middle + half}
    return made
