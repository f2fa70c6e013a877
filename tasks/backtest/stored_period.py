"""What a proof's run keeps of a period, as forecasts: only if they were made from the same prices."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from model.backtest.proof import NOTHING, Period, PeriodForecasts
from model.forecaster.forecasts import Forecasts
from model.market.prices import COLUMNS, Prices
from tasks.backtest.evaluation_file import unpacked
from tasks.tracking.provenance import digest

RECIPE_FILE, WEIGHTS_FILE = "recipe.json", "weights.npz"


def forecasts_of(kept: Mapping[str, Any], prices: Prices, period: Period) -> PeriodForecasts:
    """The stored forecasts, if they were made from the same prices and are not more than the period; else NOTHING."""
    n = len(kept["sessions"])
    known = prices.rows(0, period.start + n - 1)
    if not 0 < n <= period.stop - period.start or kept["known"] != traded(known):
        return NOTHING
    values = np.array(kept["forecast"], dtype=np.float64)
    return PeriodForecasts(
        made=Forecasts(values=values, quantiles=unpacked(kept["quantiles"], n)),
        alone=Forecasts(values=values, quantiles=unpacked(kept["alone"], n)),
    )


def traded(prices: Prices) -> str:
    """The fingerprint without Adj Close, which changes with each dividend and is not used for forecasts."""
    values = prices.values.copy()
    values[:, COLUMNS.index("Adj Close")] = 0.0
    return replace(prices, values=values).fingerprint


def digest_of_fit(place: Path) -> str:
    """The digest of a fit's files; it is stored with the forecasts, so that those of another fit are recognised."""
    files = (place / RECIPE_FILE, place / WEIGHTS_FILE)
    return digest([sha256(file.read_bytes()).hexdigest() if file.is_file() else "" for file in files])
