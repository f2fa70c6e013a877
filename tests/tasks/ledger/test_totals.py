"""What the database counts, it counts as whoever reads every row does."""

from dataclasses import replace
from datetime import date, timedelta

from tasks.ledger.forecasts import Ledger
from tasks.ledger.totals import Total, Totals
from tests.tasks.ledger.test_forecasts import FORECAST, SCORED

FIRST = FORECAST.as_of


def made(days: int, **changed: object) -> object:
    as_of = FIRST + timedelta(days=days)
    return replace(FORECAST, as_of=as_of, session=as_of + timedelta(days=2), **changed)  # type: ignore[arg-type]


def test_the_totals_are_those_of_the_rows(uri: str) -> None:
    ledger = Ledger(uri)
    others = [made(0, model="OTHER-Open", version=1, ticker="OTHER", run_id="another", fingerprint="cd" * 32)]
    ours = [
        made(0),
        made(1),
        made(1, version=4, run_id="newer"),
        made(1, version=None, run_id=""),
        made(2, version=None),
    ]
    for row in (*ours, *others):
        ledger.append(row)  # type: ignore[arg-type]
    ledger.fill_in([(ours[0], 205.0), (ours[3], 206.0)], at=SCORED)  # type: ignore[list-item]
    totals = Totals(uri)
    assert totals.by_model() == (
        Total(model="META-Open", forecasts=5, filled=2, newest=SCORED),
        Total(model="OTHER-Open", forecasts=1, filled=0, newest=None),
    )
    assert totals.by_version("META-Open") == {3: 2, 4: 1, None: 2}
    assert totals.as_of_days("META-Open") == {
        FIRST: True,
        FIRST + timedelta(days=1): True,
        FIRST + timedelta(days=2): False,
    }
    assert (totals.has("META-Open", 4), totals.has("META-Open", 5), totals.has("OTHER-Open", 4)) == (True, False, False)
    assert totals.runs(["newer", "unknown", "another"]) == {"newer", "another"}
    assert totals.runs([]) == set()
    assert totals.days("META") == {FIRST + timedelta(days=days) for days in range(3)}
    assert totals.fingerprints("OTHER") == {"cd" * 32}
    assert [row.as_of for row in ledger.unfilled("META-Open")] == [FIRST + timedelta(days=days) for days in (1, 1, 2)]
    assert [row.session for row in ledger.of_newest_session("META-Open")] == [date(2020, 1, 4)]
    assert ledger.of_newest_session("NONE-Open") == ()


def test_later_sessions_are_counted_by_themselves(uri: str) -> None:
    ledger, totals = Ledger(uri), Totals(uri)
    first, later = made(0), made(0, horizon=5)
    ledger.append_all([first, later, made(0, horizon=21, version=None)])  # type: ignore[list-item]
    ledger.fill_in([(first, 205.0), (later, 206.0)], at=SCORED)  # type: ignore[list-item]
    (total,) = totals.by_model()
    assert total == Total(model="META-Open", forecasts=1, filled=1, newest=SCORED, further=2, further_filled=1)
    assert totals.by_horizon() == {"META-Open": {1: 1, 5: 1, 21: 1}} == totals.by_horizon("META-Open")
    assert totals.by_horizon("NONE-Open") == {}
    assert totals.by_version("META-Open") == {3: 1}
    assert totals.as_of_days("META-Open") == {FIRST: True}
    assert [row.horizon for row in ledger.further("META-Open", FIRST)] == [21, 5]
    assert ledger.further("META-Open", FIRST + timedelta(days=1)) == ()
    assert [row.horizon for row in ledger.by_session("META-Open")] == [1]
    assert sorted(row.horizon for row in ledger.by_session("META-Open", horizons=(5, 21))) == [5, 21]
