"""Moves the schedules of prefect.yaml, which are for New York's exchange, to the hours of another exchange."""

from collections.abc import Mapping
from typing import Any

from model.market.calendar import ExchangeCalendar

NEW_YORK = "America/New_York"
_OPENS, _CLOSES, _DAY = 9 * 60 + 30, 16 * 60, 24 * 60
# Minutes after the close, for exchanges without a night between sessions: the forecast has to be made in the first
# hour, so it is tried twice, and the rest follows. Not at the full hour: in the first minute of 22:00 and 23:00 in
# London, yfinance takes Yahoo's prices for those of the next day.
_FORECASTS, _OTHERS_LATER = {"after-training": 10, "before-open": 35}, {"session-over": 65, "before-morning": 180}
# Minutes: a shorter time between two sessions does not count as a night.
_NIGHT = 60


def moved(schedule: Mapping[str, Any], slug: str, calendar: ExchangeCalendar) -> dict[str, Any] | None:
    """A schedule at the same distance from another exchange's open or close as it is from New York's.

    None where it needs no change: it has another time zone or other days, or the exchange has New York's hours.
    """
    parts = str(schedule.get("cron", "")).split()
    if schedule.get("timezone") != NEW_YORK or len(parts) != 5 or parts[2:] != ["*", "*", "1-5"]:
        return None
    if not (parts[0].isdigit() and parts[1].isdigit()):
        return None
    minute = 60 * int(parts[1]) + int(parts[0])
    habit = calendar.habit
    opens, closes = habit.opens // 60, habit.closes // 60
    if opens + _DAY - closes < _NIGHT:
        after = {**_FORECASTS, **_OTHERS_LATER}.get(slug, max(minute - _CLOSES, _NIGHT))
        there = closes + after
    else:
        there = closes + minute - _CLOSES if minute >= _CLOSES else opens + minute - _OPENS
    days, minute = divmod(there, _DAY)
    # Cron counts from Sunday, the habit from Monday.
    weekdays = sorted((day + 1 + days) % 7 for day in habit.weekdays)
    cron = f"{minute % 60} {minute // 60} * * {','.join(map(str, weekdays))}"
    if (opens, closes, habit.weekdays, str(habit.zone)) == (_OPENS, _CLOSES, (0, 1, 2, 3, 4), NEW_YORK):
        return None
    return {**schedule, "cron": cron, "timezone": str(habit.zone)}
