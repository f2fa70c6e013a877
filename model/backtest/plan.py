"""A backtest: forecasts at many past dates, each made with what was known then.

An origin is the close before a period's first session. A fit at an origin uses the sessions up to that close and no
others. Each session of the period is then forecast with what was known at the close of the session before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from model.config import ForecasterConfig, Frozen, Month
from model.errors import TooFewPrices, UsageError
from model.evaluation.statistical import fewest_sessions, installed_statistical
from model.forecaster.scaling import sessions_needed
from model.market.prices import Prices
from model.presets import preset_label

EXPANDING = "expanding"
WINDOW = r"^(expanding|sliding:[1-9]\d?)$"
MONTHS = {"month": 1, "quarter": 3, "year": 12}
DEFAULT_MONTHS = 12
# Choosing an ARIMA takes about as long as a hundred epochs.
STATISTICAL_EPOCHS = 100


class BacktestConfig(Frozen):
    """The origins of a backtest, and what is fitted at them."""

    first: Month | None = Field(None, description="the first month to forecast; else a year before the last")
    last: Month | None = Field(None, description="the last month to forecast; else the newest in the prices")
    every: Literal["month", "quarter", "year"] = Field("month", description="how far apart the origins are")
    refit: Literal["each", "never"] | Annotated[int, Field(ge=1)] = Field(
        "each",
        description="where everything is fitted again: at each origin, at every n-th, or at the first only (never)",
    )
    window: Annotated[str, Field(pattern=WINDOW)] = Field(
        EXPANDING, description="the prices to fit on: all before the origin, or sliding:YEARS for only the newest years"
    )
    seeds: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="number of seeds, each of which fits every preset once"
    )
    statistical: bool = Field(
        False, description="GARCH, EGARCH, log-HAR, AutoETS and AutoARIMA too (needs the extra `statistics`)"
    )


class Key(NamedTuple):
    """One place of a backtest: a forecaster's name, its seed (0 where it has none), the origin's name."""

    forecaster: str
    seed: int
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """An origin and the period after it.

    name:        the period's first month
    start, stop: the rows of the period's sessions in the plan's prices
    """

    name: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One fit, and the origins that it forecasts at: its own, and those up to the next fit.

    config:      None for the statistical forecasts, which are made together
    first, stop: the rows of the plan's prices that it is fitted on
    statistical: the names of the statistical forecasts, where it makes these
    """

    config: ForecasterConfig | None
    column: str
    first: int
    stop: int
    origins: tuple[Origin, ...]
    statistical: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The forecasters whose forecasts it makes."""
        return (self.config.preset,) if self.config else self.statistical

    @property
    def seed(self) -> int:
        """The forecaster's; 0 where it has none."""
        return self.config.training.seed if self.config else 0

    @property
    def keys(self) -> tuple[Key, ...]:
        """The places of the backtest that it fills."""
        return tuple(Key(name, self.seed, origin.name) for origin in self.origins for name in self.names)

    @property
    def effort(self) -> int:
        """Its cost relative to other fits: rows times epochs."""
        return (self.stop - self.first) * (self.config.training.most_epochs if self.config else STATISTICAL_EPOCHS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Everything that a backtest will do.

    prices:  up to the last session that is forecast, and not further
    config:  as it was asked for, with the first and the last month filled in
    origins: in the order of time
    fits:    of every forecaster, seed and origin where one is due. The statistical ones come first, since their library
             may be missing; then the longest, so that the processes that share the fits end together
    """

    prices: Prices
    config: BacktestConfig
    forecasters: tuple[ForecasterConfig, ...]
    origins: tuple[Origin, ...]
    fits: tuple[Fit, ...]

    @property
    def column(self) -> str:
        """The price that is forecast."""
        return self.forecasters[0].column

    def label(self, forecaster: str, most: int | None = None) -> str:
        """The name that people read for a forecaster: a preset with its changes, or a statistical forecast."""
        found = next((config for config in self.forecasters if config.preset == forecaster), None)
        return forecaster if found is None else preset_label(found, most)

    @property
    def statistical(self) -> tuple[str, ...]:
        """The names of the statistical forecasts that are made; those whose library is missing are not."""
        return next((fit.statistical for fit in self.fits if fit.config is None), ())

    @property
    def n_sessions(self) -> int:
        """The number of sessions that are forecast."""
        return self.origins[-1].stop - self.origins[0].start


def plan_backtest(prices: Prices, config: BacktestConfig, forecasters: Sequence[ForecasterConfig]) -> Plan:
    """Plan a backtest.

    UsageError where a month has no session or a shared network is wanted, TooFewPrices where the history is too short,
    ConfigurationError where statistical forecasts are wanted and none of their libraries is installed.
    """
    if len({forecaster.column for forecaster in forecasters}) != 1:
        raise ValueError("all forecasters of a backtest need the same column")
    if len({forecaster.preset for forecaster in forecasters}) != len(forecasters):
        raise ValueError("a backtest takes each preset once")
    for forecaster in forecasters:
        if forecaster.training.shared != "own":
            raise UsageError(
                f"training.shared of {preset_label(forecaster)}",
                have=f"{forecaster.training.shared}: a shared network is fitted once a year, and not at each origin",
                need="own in a backtest",
                remedy="tomorrow train --shared makes a proof of it, which is a backtest of years",
            )
    origins = tuple(_origins(prices, config))
    seeded = [with_seed(forecaster, seed) for forecaster in forecasters for seed in seeds_of(config, forecaster)]
    fits = [
        Fit(config=forecaster, column=forecaster.column, first=first, stop=chosen[0].start, origins=chosen)
        for forecaster in seeded
        for first, chosen in _periods(prices, config, origins, sessions_needed(forecaster))
    ]
    if config.statistical:
        names, column = installed_statistical(), forecasters[0].column
        fits += [
            Fit(config=None, column=column, first=first, stop=chosen[0].start, origins=chosen, statistical=names)
            for first, chosen in _periods(prices, config, origins, fewest_sessions(names))
        ]
    return Plan(
        prices=prices.rows(0, origins[-1].stop),
        config=config.model_copy(
            update={"first": origins[0].name, "last": str(prices.sessions[origins[-1].stop - 1])[:7]}
        ),
        forecasters=tuple(forecasters),
        origins=origins,
        fits=tuple(sorted(fits, key=lambda fit: (fit.config is not None, -fit.effort))),
    )


def seeds_of(config: BacktestConfig, forecaster: ForecasterConfig) -> range:
    """The seeds that a forecaster is fitted with: its own and the following ones."""
    return range(forecaster.training.seed, forecaster.training.seed + config.seeds)


def with_seed(config: ForecasterConfig, seed: int) -> ForecasterConfig:
    """The same configuration with another seed, for the next session: further horizons need no network."""
    training = config.training.model_copy(update={"seed": seed})
    return config.model_copy(update={"training": training, "horizon": (1,)})


def _origins(prices: Prices, config: BacktestConfig) -> Iterator[Origin]:
    """An origin for every period; the last period may be shorter than the others."""
    months = prices.sessions.astype("datetime64[M]")
    last = np.datetime64(config.last, "M") if config.last else np.datetime64(prices.last, "M")
    first = np.datetime64(config.first, "M") if config.first else last - np.timedelta64(DEFAULT_MONTHS - 1, "M")
    if first > last:
        raise UsageError(
            f"months {first} to {last}",
            have="the first month is after the last one",
            need="a first month that is not later than the last",
            remedy="correct --from and --to; one that is not given follows from the prices",
        )
    wanted = np.arange(first, last + np.timedelta64(1, "M"))
    empty = wanted[~np.isin(wanted, months)]
    if len(empty):
        raise UsageError(
            f"months {first} to {last}",
            have=f"no completed session in {_listed(empty)}; the prices of {prices.security.ticker} reach from "
            f"{prices.first} to {prices.last}",
            need="months with sessions, after enough history to train on",
            remedy="choose other months with --from and --to, or give prices that include these",
        )
    step = MONTHS[config.every]
    for month in wanted[::step]:
        yield Origin(
            name=str(month),
            start=int(np.searchsorted(months, month)),
            stop=int(np.searchsorted(months, min(month + np.timedelta64(step - 1, "M"), last), side="right")),
        )


def _periods(
    prices: Prices, config: BacktestConfig, origins: Sequence[Origin], needed: int
) -> Iterator[tuple[int, tuple[Origin, ...]]]:
    """For each fit the first row that it is fitted on, and its origins."""
    between = {"each": 1, "never": len(origins)}.get(str(config.refit)) or int(config.refit)
    for at in range(0, len(origins), between):
        origin = origins[at]
        first = _window_start(prices, config, origin)
        if origin.start - first <= needed:
            raise TooFewPrices(
                f"prices of {prices.security.ticker}",
                have=f"{origin.start - first} sessions to train on before {origin.name}",
                need=f"more than {needed}, which one example and its target take",
                remedy="begin later with --from, or give more history",
            )
        yield first, tuple(origins[at : at + between])


def _window_start(prices: Prices, config: BacktestConfig, origin: Origin) -> int:
    """The first row that is fitted on."""
    kind, _, years = config.window.partition(":")
    if kind == EXPANDING:
        return 0
    start = (np.datetime64(origin.name, "M") - np.timedelta64(12 * int(years), "M")).astype("datetime64[D]")
    # The first days of a year are holidays: what counts is whether the prices reach back to the window's first month.
    if prices.sessions[0].astype("datetime64[M]") > start.astype("datetime64[M]"):
        raise TooFewPrices(
            f"prices of {prices.security.ticker}",
            have=f"sessions from {prices.first} on",
            need=f"{years} years before {origin.name}, for --window {config.window}",
            remedy="begin later with --from, or use a shorter --window, or --window expanding",
        )
    return int(np.searchsorted(prices.sessions, start))


def _listed(months: np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> str:
    names = [str(month) for month in months]
    return ", ".join(names) if len(names) <= 4 else f"{names[0]}, {names[1]}, ... {names[-1]} ({len(names)} months)"
