"""Statistical forecasts: exponential smoothing and ARIMA, chosen and fitted by Nixtla's statsforecast.

They use the column's own past and nothing else: for the Open not even the newest Close. The library is an optional
extra of the product, `statistics`, since it takes some 280 MB.

The volatility forecasts, which are distributions, belong to them too. Each is made where its library is installed.
"""

from collections.abc import Collection
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

import numpy as np

from model.evaluation.volatility import SHORTEST_VOLATILITY, VOLATILITY_LABELS, first_origin, missing_library
from model.market.prices import Prices, Values

if TYPE_CHECKING:
    from collections.abc import Callable

AUTO_LABELS = {"auto_ets": "AutoETS", "auto_arima": "AutoARIMA"}
STATISTICAL_LABELS = {**AUTO_LABELS, **VOLATILITY_LABELS}
# Which library makes which.
_MADE_BY = {"statsforecast": AUTO_LABELS, "arch": VOLATILITY_LABELS}

# With fewer, models have too many parameters to choose between them; below seven there is no model at all.
SHORTEST = 30


class _Model(Protocol):
    """The part of statsforecast's models that is used here."""

    def fit(self, y: Values) -> object: ...

    def forward(self, y: Values, h: int) -> dict[str, Values]: ...


def installed_statistical() -> tuple[str, ...]:
    """The names of those whose library is installed; ConfigurationError where there is none."""
    found = tuple(name for library, labels in _MADE_BY.items() if find_spec(library) for name in labels)
    if not found:
        raise missing_library("statistical forecasts", f"neither {' nor '.join(_MADE_BY)} is installed")
    return found


def missing_statistical(made: Collection[str]) -> tuple[str, ...]:
    """Which are missing, and why: a sentence for each library whose forecasts are not among those made."""
    return tuple(
        f"{', '.join(labels.values())}: not made, since {library} is not installed; the extra `statistics` brings it, "
        "where it has a release for this Python."
        for library, labels in _MADE_BY.items()
        if not labels.keys() & made
    )


def fewest_sessions(names: Collection[str]) -> int:
    """The sessions up to the first origin that these need."""
    return SHORTEST_VOLATILITY if VOLATILITY_LABELS.keys() & names else SHORTEST


def statistical_forecasts(prices: Prices, column: str, origins: int, refit_every: int) -> dict[str, Values]:
    """Forecasts made at the newest `origins` sessions, each for the session after it, by name, (origins,) prices.

    At the first of them, and at every `refit_every`-th after it, a model is chosen and fitted anew on all that was
    known at its close; in between, the same model is applied to the newer prices. With `refit_every` as large as
    `origins` it is fitted once.

    TooFewPrices where the first origin has too little history; ConfigurationError without the extra.
    """
    first = first_origin(prices, origins, refit_every, SHORTEST, "the statistical forecasts")
    values = np.array(prices.column(column))
    return {name: _rolled(make, values, first, refit_every) for name, make in _models().items()}


def _rolled(make: "Callable[[], _Model]", values: Values, first: int, refit_every: int) -> Values:
    """One forecast for each row from `first` on, made with the values up to it."""
    made = np.empty(len(values) - first)
    model = make()
    for origin in range(len(made)):
        known = values[: first + origin + 1]
        if origin % refit_every == 0:
            model = make()
            model.fit(known)
        made[origin] = model.forward(known, h=1)["mean"][0]
    return made


def _models() -> "dict[str, Callable[[], _Model]]":
    """The models by name; the import takes two seconds."""
    try:
        from statsforecast.models import AutoARIMA, AutoETS
    except ModuleNotFoundError as error:
        raise missing_library("AutoETS and AutoARIMA", f"{error.name or 'statsforecast'} is not installed") from None
    return {"auto_ets": lambda: AutoETS(season_length=1), "auto_arima": lambda: AutoARIMA(season_length=1)}
