"""The cones of a version: what belongs to one day, and which of them are shown."""

from dataclasses import replace

from tasks.forecasts.cones import cones_of_version
from tasks.forecasts.summary import ForecastSummary, summarise
from tasks.ledger.forecasts import RecordedForecast
from tests.tasks.forecasts.recorded import ahead, distributed, forecast


def summary(*rows: RecordedForecast) -> ForecastSummary:
    return summarise("TEST-Open", rows, 20)


def over(row: RecordedForecast, price: float) -> RecordedForecast:
    return replace(row, observed=price, observed_at=row.made_at)


def test_the_newest_cone_stands_behind_the_newest_whose_prices_have_all_come() -> None:
    made = [distributed(forecast(row)) for row in (30, 36, 44)]
    rows = [over(made[0], 131.0), ahead(made[0], 5, 133.0), over(made[1], 137.0), ahead(made[1], 5, 139.0)]
    waiting = [over(made[2], 145.0), replace(ahead(made[2], 5), version=None)]
    older, newest = cones_of_version(summary(*rows, *waiting), 1)
    assert (older.as_of, [step.came for step in older.steps]) == (made[1].as_of, [137.0, 139.0])
    assert (newest.as_of, [step.came for step in newest.steps]) == (made[2].as_of, [145.0, None])
    assert [(step.horizon, step.naive) for step in newest.steps] == [(1, False), (5, True)]
    assert (newest.start, newest.started) == (made[2].naive, "newest Close")
    assert newest.steps[0].intervals == made[2].intervals
    # The newest one is over: it is shown once.
    assert cones_of_version(summary(*rows), 1) == (older,)
    assert [cone.as_of for cone in cones_of_version(summary(*waiting), 1)] == [made[2].as_of]


def test_without_forecasts_of_later_sessions_or_of_the_version_there_is_no_cone() -> None:
    made = distributed(forecast(30))
    assert cones_of_version(summary(made), 1) == ()
    assert cones_of_version(summary(made, ahead(made)), 2) == ()
