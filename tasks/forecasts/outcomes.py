"""What happened: the price that came for each recorded forecast, scaled as the prices that it was made from."""

from collections.abc import Iterable
from dataclasses import dataclass

from model.evaluation.baselines import naive_forecasts
from model.market.prices import Prices
from model.market.restatement import dollars_ratio
from tasks.ledger.forecasts import RecordedForecast


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What is known of forecasts that have nothing filled in yet.

    known:   each forecast whose price came, with it
    waiting: how many forecasts are of sessions that are not over
    notes:   splits that were allowed for, and forecasts that cannot be scored with these prices
    """

    known: tuple[tuple[RecordedForecast, float], ...]
    waiting: int
    notes: tuple[str, ...]


def find_outcomes(rows: Iterable[RecordedForecast], prices: Prices) -> Outcomes:
    """Look up what came. Prices that a split has rescaled since the forecast are scaled back to its own."""
    known, notes, waiting = [], [], 0
    places = {str(day): row for row, day in enumerate(prices.sessions)}
    for row in rows:
        if row.observed is not None:
            continue
        if row.session > prices.last:
            waiting += 1
            continue
        place, origin = places.get(str(row.session)), places.get(str(row.as_of))
        ratio = None if place is None or origin is None else _ratio(row, prices)
        if place is None or ratio is None:
            why = "no such session in these prices" if place is None else "its past is another in these prices"
            notes.append(f"The forecast of {row.session} ({row.named}) is not scored: {why}.")
            continue
        if ratio != 1:
            notes.append(
                f"Prices have been multiplied by {ratio:.6g} since {row.session} was forecast ({row.named}): "
                "what came is recorded in the prices of then."
            )
        known.append((row, float(prices.column(row.column)[place]) / ratio))
    return Outcomes(known=tuple(known), waiting=waiting, notes=tuple(notes))


def _ratio(row: RecordedForecast, prices: Prices) -> float | None:
    """How the past that the forecast knew is scaled in these prices, seen by its naive forecasts."""
    now = naive_forecasts(prices.until(row.as_of), row.column, 1)
    return dollars_ratio(row.naives, {name: float(values[0]) for name, values in now.items()})
