"""The windows of many securities, from which as many are copied at a time as an epoch needs.

A session of a security is kept once, in five numbers, and lies in `lookback` windows: hundreds of securities of eight
years are some tens of megabytes, and all their windows twenty times that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Self

import numpy as np
import numpy.typing as npt

from model.artifact.market_state import STATE, market_state
from model.artifact.recipes import ChangeRecipe
from model.artifact.scale import Values
from model.config import ForecasterConfig
from model.forecaster.scaling import fit_recipe
from model.forecaster.windows import Windows, make_windows
from model.market.prices import Days, Prices

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """The windows of many securities, in the order of their targets' sessions.

    features: (sessions, features) float32, those of one security after those of another
    starts:   (n,) where each window begins in `features`
    targets:  (n,) float32, as Windows has them
    state:    (n, len(STATE)) float32, the market's state at each origin
    sessions: (n,) datetime64[D], the trading day of each target
    lookback: sessions in a window
    """

    features: npt.NDArray[np.float32]
    starts: Rows
    targets: npt.NDArray[np.float32]
    state: npt.NDArray[np.float32]
    sessions: Days
    lookback: int

    def __len__(self) -> int:
        return len(self.targets)

    def before(self, day: date) -> Self:
        """The windows whose targets lie before a day."""
        return self._part(slice(int(np.searchsorted(self.sessions, np.datetime64(day)))))

    def chosen(self, rows: Rows) -> Self:
        """The windows with these numbers, in this order."""
        return self._part(rows)

    def windows(self, offsets: Values) -> Windows:
        """All of them, copied; `offsets` as Windows has them."""
        inputs = self.features[self.starts[:, np.newaxis] + np.arange(self.lookback)]
        return Windows(inputs=inputs, targets=self.targets, offsets=offsets.astype(np.float32), sessions=self.sessions)

    def _part(self, rows: slice | Rows) -> Self:
        return replace(
            self,
            starts=self.starts[rows],
            targets=self.targets[rows],
            state=self.state[rows],
            sessions=self.sessions[rows],
        )


def pool_of(prices: Prices, config: ForecasterConfig) -> Pool:
    """The windows of one security; ValueError for a configuration whose inputs are not changes."""
    recipe = fit_recipe(prices, config)  # no window depends on what it was fitted on
    if not isinstance(recipe, ChangeRecipe):
        raise ValueError(f"inputs {config.inputs} are not in scales")
    windows = make_windows(prices, recipe)
    known = {name: values[:-1] for name, values in prices.table().items()}
    state = market_state(known, len(windows), float(prices.table()["Date"][-1]), recipe.scale)
    return Pool(
        features=np.concatenate([windows.inputs[0], windows.inputs[1:, -1]]),
        starts=np.arange(len(windows)),
        targets=windows.targets,
        state=state.astype(np.float32),
        sessions=windows.sessions,
        lookback=recipe.lookback,
    )


def joined(pools: Sequence[Pool]) -> Pool:
    """The windows of several securities, which look back on equally many sessions; ValueError without any."""
    begins = np.cumsum([0, *(len(pool.features) for pool in pools[:-1])])
    sessions = np.concatenate([pool.sessions for pool in pools])
    order = np.argsort(sessions, kind="stable")
    return Pool(
        features=np.concatenate([pool.features for pool in pools]),
        starts=np.concatenate([pool.starts + begin for pool, begin in zip(pools, begins, strict=True)])[order],
        targets=np.concatenate([pool.targets for pool in pools])[order],
        state=np.concatenate([pool.state for pool in pools]).reshape(-1, len(STATE))[order],
        sessions=sessions[order],
        lookback=pools[0].lookback,
    )
