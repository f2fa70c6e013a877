"""A fortnight in Frankfurt that crosses a clock change: runs that the schedules start, with Yahoo as it is then."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from flows.runs.clock import clock_at
from model.config import PriceRequest
from model.market.calendar import ExchangeCalendar
from tasks.ledger.forecasts import Ledger
from tasks.operations.stack.schedules import moved
from tasks.settings import read_settings
from tests.fakes.abroad import Abroad
from tests.fakes.yahoo import FakeYahoo
from tests.project import ROOT

# Clocks go back on 26 October.
FIRST, LAST = date(2025, 10, 20), date(2025, 10, 31)
# What Yahoo has of this day only after the evening's run.
LATE = date(2025, 10, 28)
SAP = PriceRequest(ticker="SAP.DE")


def due_times(first: date, last: date) -> dict[str, list[datetime]]:
    """When the schedules of `predict` start it in Frankfurt, by their names."""
    file = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    (predict,) = (made for made in file["deployments"] if made["name"] == "predict")
    found = {}
    for schedule in predict["schedules"]:
        there = moved(schedule, schedule["slug"], ExchangeCalendar("XETR"))
        assert there is not None
        minute, hour, _, _, weekdays = there["cron"].split()
        days = (first + timedelta(days=number) for number in range((last - first).days + 1))
        found[schedule["slug"]] = [
            datetime.combine(day, time(int(hour), int(minute)), ZoneInfo(there["timezone"])).astimezone(UTC)
            for day in days
            if str(day.isoweekday()) in weekdays.split(",")
        ]
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("home", "prefect_server")
def test_each_session_of_a_fortnight_is_forecast_once_and_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.predict import predict
    from flows.score import score

    delayed = {LATE: datetime(2025, 10, 28, 22, tzinfo=UTC)}
    market = Abroad.of("SAP.DE", first=date(2024, 10, 1), last=LAST + timedelta(days=3), delayed=delayed)
    times = due_times(FIRST - timedelta(days=3), LAST)
    # Each evening, and the one morning that has something left to do.
    mornings = [at for at in times["before-open"] if at.date() == LATE + timedelta(days=1)]
    runs = sorted((at, slug) for slug, every in {**times, "before-open": mornings}.items() for at in every)
    before: dict[str, datetime] = {}
    monkeypatch.setenv("TOMORROW_PRICES__RETRIES__COMMAND_LINE", "[]")
    with FakeYahoo() as yahoo:
        monkeypatch.setattr("tasks.prices.fetch.yahoo_session", yahoo.session)

        def run(flow: Any, at: datetime, **more: Any) -> Any:
            market.show(yahoo, at)
            with clock_at(at):
                return flow(request=SAP, return_state=True, **more)

        for at, slug in runs:
            with monkeypatch.context() as due:
                due.setattr("flows.runs.on_schedule._due", lambda at=at: at)
                due.setattr("flows.runs.on_schedule._since", lambda _, slug=slug: before.get(slug))
                assert run(predict, at, or_naive=True).is_completed()
            before[slug] = at
        scored = run(score, datetime(2025, 10, 31, 17, 45, tzinfo=UTC)).result()
    rows = [row for row in Ledger(read_settings().ledger_uri).rows() if row.session <= LAST]
    # At 19:45 in Frankfurt, two hours and a quarter after the close; what came late was there at 7:30.
    evenings = [datetime(2025, 10, day, 17, 45, tzinfo=UTC) for day in (17, 20, 21, 22, 23, 24)]
    evenings += [datetime(2025, 10, 27, 18, 45, tzinfo=UTC), datetime(2025, 10, 29, 6, 30, tzinfo=UTC)]
    evenings += [datetime(2025, 10, day, 18, 45, tzinfo=UTC) for day in (29, 30)]
    sessions = [date(2025, 10, day) for day in (20, 21, 22, 23, 24, 27, 28, 29, 30, 31)]
    assert [(row.session, row.made_at) for row in rows] == list(zip(sessions, evenings, strict=True))
    assert [row.observed for row in rows] == [market.open_of(day) for day in sessions]
    assert (len(scored.scored.counted), {row.currency for row in rows}) == (10, {"EUR"})
    assert not any(row.late or row.stale for row in rows)
