"""How forecasts have done: only those count of which it is known what happened."""

from dataclasses import dataclass

import numpy as np

from model.evaluation.metrics import coverage, rmse
from model.market.prices import Values


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRecord:
    """The standing of some forecasts.

    forecasts:        how many were made
    scored:           of how many the price is known
    rmse, naive_rmse: in dollars; None where none is scored
    coverage:         the share of prices within their interval; None where no scored forecast has one
    """

    forecasts: int
    scored: int
    rmse: float | None = None
    naive_rmse: float | None = None
    coverage: float | None = None


def track_record(forecast: Values, naive: Values, lower: Values, upper: Values, observed: Values) -> TrackRecord:
    """The standing of forecasts, each (n,) dollars; NaN in `observed` where it is not known, in a bound where none is.

    Later knowledge of a price changes this standing; it never changes a forecast.
    """
    known = np.isfinite(observed)
    if not known.any():
        return TrackRecord(forecasts=len(forecast), scored=0)
    bounded = known & np.isfinite(lower) & np.isfinite(upper)
    held = coverage(observed[bounded], lower[bounded], upper[bounded]).value if bounded.any() else None
    return TrackRecord(
        forecasts=len(forecast),
        scored=int(known.sum()),
        rmse=rmse(observed[known], forecast[known]),
        naive_rmse=rmse(observed[known], naive[known]),
        coverage=held,
    )
