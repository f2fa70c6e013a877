"""Which horizons there are: how many sessions ahead a version forecasts."""

from collections.abc import Sequence

# A trading month: even there no more could be foreseen than naive distributions say.
FURTHEST = 21


def checked_horizons(given: Sequence[int]) -> tuple[int, ...]:
    """Horizons in sessions; ValueError unless they ascend, begin with 1 and end with at most FURTHEST."""
    found = tuple(given)
    if not found or found[0] != 1 or found != tuple(sorted(set(found))) or found[-1] > FURTHEST:
        raise ValueError(f"sessions ahead in ascending order from 1 to at most {FURTHEST}, 1 among them")
    return found


def further_column(sessions: int, name: str) -> str:
    """The name of a column of the forecast so many sessions ahead, such as `in_5_quantile_0.025`."""
    return f"in_{sessions}_{name}"
