"""A version's recorded forecasts of several sessions as cones, for figures."""

from collections.abc import Sequence
from datetime import date

from model.evaluation.baselines import naive_label
from model.figures.newest.cone import Cone, Step
from tasks.forecasts.summary import ForecastSummary, cone_of
from tasks.ledger.forecasts import RecordedForecast


def cone_from(first: RecordedForecast, further: Sequence[RecordedForecast]) -> Cone:
    """The cone of a forecast of the next session and those of later ones that were made with it."""
    return Cone(
        as_of=first.as_of,
        start=first.naive,
        started=naive_label(first.naive_name).removeprefix("the "),
        steps=tuple(
            Step(
                horizon=row.horizon,
                session=row.session,
                median=row.forecast,
                intervals=row.intervals,
                naive=row.version is None,
                came=row.observed,
            )
            for row in (first, *further)
        ),
        money=first.money,
    )


def cones_of_version(summary: ForecastSummary, version: int) -> tuple[Cone, ...]:
    """The newest cone of a version; before it the newest one whose prices have all come, if that is another.

    Without forecasts of later sessions there is none.
    """
    further: dict[date, list[RecordedForecast]] = {}
    for each in summary.further:
        for row in each.rows:
            further.setdefault(row.as_of, []).append(row)
    own = (row for row in summary.rows if row.version == version)
    newest: Cone | None = None
    for first in sorted(own, key=lambda row: row.session, reverse=True):
        if not (beside := cone_of(first, further.get(first.as_of, []))):
            continue
        cone = cone_from(first, beside)
        if cone.is_over:
            return (cone,) if newest is None else (cone, newest)
        newest = newest or cone
    return () if newest is None else (newest,)
