"""Finds the actual price for each recorded forecast, in the scale of the prices that it was made from."""

from collections.abc import Iterable
from dataclasses import dataclass

from model.evaluation.baselines import naive_forecasts
from model.market.prices import Prices
from model.market.restatement import dollars_ratio
from tasks.ledger.forecasts import RecordedForecast


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """The outcomes of forecasts that have no price filled in yet.

    known:   (forecast, actual price)
    waiting: how many forecasts are of a next session that is not over; `waiting_further` of a later one
    notes:   sentences on splits that were undone, and on forecasts that cannot be scored with these prices
    """

    known: tuple[tuple[RecordedForecast, float], ...]
    waiting: int
    notes: tuple[str, ...]
    waiting_further: int = 0

    @property
    def of_next_session(self) -> int:
        """How many of the known ones were forecast as the next session."""
        return sum(row.horizon == 1 for row, _ in self.known)


def find_outcomes(rows: Iterable[RecordedForecast], prices: Prices) -> Outcomes:
    """Look up the actual prices; those that a later split has rescaled are scaled back to the forecast's own."""
    known, notes, waiting = [], [], [0, 0]
    places = {str(day): row for row, day in enumerate(prices.sessions)}
    for row in rows:
        if row.observed is not None:
            continue
        if row.session > prices.last:
            waiting[row.horizon > 1] += 1
            continue
        place, origin = places.get(str(row.session)), places.get(str(row.as_of))
        ratio = None if place is None or origin is None else _ratio(row, prices)
        if place is None or ratio is None:
            why = "these prices lack that session" if place is None else "it was made from other prices"
            notes.append(f"The forecast of {row.session} ({_named(row)}) is not scored: {why}.")
            continue
        if ratio != 1:
            notes.append(
                f"Prices have been multiplied by {ratio:.6g} since {row.session} was forecast ({_named(row)}): "
                "the actual price is recorded in the scale of the forecast."
            )
        known.append((row, float(prices.column(row.column)[place]) / ratio))
    return Outcomes(known=tuple(known), waiting=waiting[0], waiting_further=waiting[1], notes=tuple(notes))


def _named(row: RecordedForecast) -> str:
    return row.named if row.horizon == 1 else f"{row.named}, {row.horizon} sessions ahead"


def _ratio(row: RecordedForecast, prices: Prices) -> float | None:
    """The ratio of these prices to those that the forecast knew, from its naive forecasts; None where there is none."""
    now = naive_forecasts(prices.until(row.as_of), row.column, 1, row.horizon)
    return dollars_ratio(row.naives, {name: float(values[0]) for name, values in now.items()})
