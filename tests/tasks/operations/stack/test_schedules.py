"""Schedules follow the exchange: in a simulated month that crosses a clock change no forecast comes too late."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import yaml

from model.market.calendar import ExchangeCalendar, occasion
from tasks.operations.stack.schedules import moved
from tests.project import ROOT

FIRST, DAYS = date(2026, 10, 15), 35  # clocks go back on 25 October in Europe, on 1 November in New York


def schedules(deployment: str, calendar: ExchangeCalendar) -> list[dict[str, str]]:
    file = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    (found,) = (made for made in file["deployments"] if made["name"] == deployment)
    return [moved(one, one["slug"], calendar) or one for one in found["schedules"]]


def due_times(schedule: dict[str, str]) -> list[datetime]:
    minute, hour, _, _, weekdays = schedule["cron"].split()
    days = range(1, 6) if weekdays == "1-5" else [int(day) for day in weekdays.split(",")]
    zone = ZoneInfo(schedule["timezone"])
    every = (FIRST + timedelta(days=number) for number in range(DAYS))
    return [
        datetime.combine(day, time(int(hour), int(minute)), zone).astimezone(UTC)
        for day in every
        if day.isoweekday() % 7 in days
    ]


@pytest.mark.parametrize(
    "exchange", ["XNYS", "XETR", "XLON", "XASX", "XTKS", "XBOM", "XSAU", "24/7", "24/5", "CMES", "ASEX", "observed"]
)
def test_every_session_of_a_month_is_forecast_before_it_is_too_late(exchange: str) -> None:
    calendar = ExchangeCalendar(exchange)
    made = set()
    for schedule in schedules("predict", calendar):
        since = None
        for due in due_times(schedule):
            if occasion(calendar, due, due, timedelta(minutes=30), since).is_session or since is None:
                session = calendar.next_session(calendar.last_completed(due))
                if due < calendar.opens(session):
                    made.add(session)
            since = due
    wanted = calendar.sessions(FIRST + timedelta(days=6), FIRST + timedelta(days=DAYS - 3)).tolist()
    assert [str(day) for day in wanted if day not in made] == []


@pytest.mark.parametrize("deployment", ["train", "score", "predict", "catchup"])
def test_new_yorks_times_stay_as_they_are(deployment: str) -> None:
    plain = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    (found,) = (made["schedules"] for made in plain if made["name"] == deployment)
    assert schedules(deployment, ExchangeCalendar("XNYS")) == found


def test_frankfurt_is_forecast_by_its_own_clock() -> None:
    times = [(one["cron"], one["timezone"]) for one in schedules("predict", ExchangeCalendar("XETR"))]
    assert times == [("45 19 * * 1,2,3,4,5", "Europe/Berlin"), ("30 7 * * 1,2,3,4,5", "Europe/Berlin")]
