"""Other series at each session's close: what was known then, by the moment and not by the date."""

from dataclasses import replace
from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.market.alignment import LONGEST_STALE, Observed, beside, known_values
from model.market.calendar import ExchangeCalendar
from model.market.prices import Days, Values


def on(exchange: str, first: str, last: str) -> tuple[Days, np.ndarray[tuple[int], np.dtype[np.datetime64]]]:
    calendar = ExchangeCalendar(exchange)
    sessions = calendar.sessions(date.fromisoformat(first), date.fromisoformat(last))
    return sessions, calendar.over(sessions)


def numbered(exchange: str, first: str, last: str) -> Observed:
    """A series whose value is the number of its day since 1970."""
    days, known_at = on(exchange, first, last)
    values = days.astype(float)[:, np.newaxis]
    return Observed(name="S", columns=("S",), days=days, known_at=known_at, values=values, fingerprint="f")


def at_hour(days: Days, hour: int) -> Days:
    """That hour of each day, in seconds."""
    return np.asarray(days.astype("datetime64[s]") + np.timedelta64(hour, "h"), dtype="datetime64[s]")


def as_days(values: Values) -> list[str]:
    return ["-" if np.isnan(value) else str(np.datetime64(int(value), "D")) for value in values[:, 0]]


def test_an_exchange_that_closes_at_the_same_time_counts_for_the_same_session() -> None:
    sessions, closes = on("XNYS", "2020-01-06", "2020-01-10")
    assert as_days(known_values(sessions, closes, numbered("XNYS", "2019-12-01", "2020-01-31"))) == [
        f"2020-01-{day:02}" for day in (6, 7, 8, 9, 10)
    ]


def test_an_exchange_that_closes_later_counts_for_the_next_session() -> None:
    sessions, closes = on("XETR", "2020-01-07", "2020-01-10")
    assert as_days(known_values(sessions, closes, numbered("XNYS", "2019-12-01", "2020-01-31"))) == [
        f"2020-01-{day:02}" for day in (6, 7, 8, 9)
    ]
    sessions, closes = on("XTKS", "2020-01-07", "2020-01-10")
    assert as_days(known_values(sessions, closes, numbered("XETR", "2019-12-01", "2020-01-31"))) == [
        f"2020-01-{day:02}" for day in (6, 7, 8, 9)
    ]


def test_an_exchange_that_closes_earlier_counts_for_the_same_day() -> None:
    sessions, closes = on("XNYS", "2020-01-07", "2020-01-09")
    assert as_days(known_values(sessions, closes, numbered("XTKS", "2019-12-01", "2020-01-31"))) == [
        f"2020-01-{day:02}" for day in (7, 8, 9)
    ]


def test_over_a_holiday_of_the_other_exchange_its_newest_session_stands() -> None:
    sessions, closes = on("XETR", "2020-07-02", "2020-07-07")
    # Independence Day was kept on Friday the 3rd: on Tuesday in Frankfurt, New York's Monday is the newest.
    assert as_days(known_values(sessions, closes, numbered("XNYS", "2020-06-01", "2020-07-31"))) == [
        *("2020-07-01", "2020-07-02", "2020-07-02", "2020-07-06")
    ]


def test_golden_week_is_longer_than_a_value_may_be_old() -> None:
    sessions, closes = on("XNYS", "2019-04-25", "2019-05-08")
    values = as_days(known_values(sessions, closes, numbered("XTKS", "2019-04-01", "2019-05-31")))
    assert values[:2] == ["2019-04-25", "2019-04-26"]
    assert values[2 : 2 + LONGEST_STALE] == ["2019-04-26"] * LONGEST_STALE
    assert values[2 + LONGEST_STALE :] == ["-", "2019-05-07", "2019-05-08"]


def test_on_a_short_day_only_what_was_known_at_the_early_close_counts() -> None:
    sessions, closes = on("XNYS", "2020-11-25", "2020-11-27")
    late = Observed(
        name="S",
        columns=("S",),
        days=sessions,
        known_at=at_hour(sessions, 19),
        values=sessions.astype(float)[:, np.newaxis],
        fingerprint="f",
    )
    assert as_days(known_values(sessions, closes, late)) == ["2020-11-25", "2020-11-25"]


MOMENTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40 * 24), st.floats(0.1, 100)), min_size=0, max_size=40)


def made_of(rows: list[tuple[int, int, float]]) -> Observed:
    start = np.datetime64("2020-01-01", "D")
    return Observed(
        name="S",
        columns=("S",),
        days=np.array([start + np.timedelta64(day, "D") for day, _, _ in rows], dtype="datetime64[D]"),
        known_at=np.array(
            [start.astype("datetime64[s]") + np.timedelta64(hour, "h") for _, hour, _ in rows], dtype="datetime64[s]"
        ),
        values=np.array([value for *_, value in rows]).reshape(len(rows), 1),
        fingerprint="f",
    )


SESSIONS = np.arange(np.datetime64("2020-01-03"), np.datetime64("2020-02-10"))
SESSIONS = SESSIONS[np.is_busday(SESSIONS)]
CLOSES = at_hour(SESSIONS, 21)


@given(rows=MOMENTS)
def test_each_close_has_the_value_of_the_newest_day_that_was_known_by_then(rows: list[tuple[int, int, float]]) -> None:
    observed = made_of(rows)
    made = known_values(SESSIONS, CLOSES, observed)[:, 0]
    for row, close in enumerate(CLOSES):
        known = [
            (day, moment, value)
            for day, moment, value in zip(observed.days, observed.known_at, observed.values[:, 0], strict=True)
            if moment <= close
        ]
        newest = max((day for day, *_ in known), default=None)
        age = 99 if newest is None else int(((newest < SESSIONS) & (SESSIONS[row] >= SESSIONS)).sum())
        if newest is None or age > LONGEST_STALE:
            assert np.isnan(made[row])
        else:
            latest = max(moment for day, moment, _ in known if day == newest)
            assert made[row] in [value for day, moment, value in known if (day, moment) == (newest, latest)]


@given(rows=MOMENTS, at=st.integers(0, len(SESSIONS) - 1), factor=st.floats(2, 9))
def test_nothing_that_was_known_after_a_close_changes_a_digit_of_it(
    rows: list[tuple[int, int, float]], at: int, factor: float
) -> None:
    observed = made_of(rows)
    later = observed.known_at > CLOSES[at]
    other = replace(observed, values=np.where(later[:, np.newaxis], observed.values * factor, observed.values))
    gone = replace(
        observed, days=observed.days[~later], known_at=observed.known_at[~later], values=observed.values[~later]
    )
    for tampered in (other, gone):
        np.testing.assert_array_equal(
            known_values(SESSIONS, CLOSES, observed)[: at + 1], known_values(SESSIONS, CLOSES, tampered)[: at + 1]
        )


def test_what_is_not_a_number_or_never_known_is_passed_over() -> None:
    observed = made_of([(2, 50, 1.0), (3, 70, np.nan), (4, 80, 3.0)])
    unknown = observed.known_at.copy()
    unknown[2] = np.datetime64("NaT", "s")
    made = known_values(SESSIONS, CLOSES, replace(observed, known_at=unknown))[:, 0]
    assert made[: LONGEST_STALE + 1].tolist() == [1.0] * (LONGEST_STALE + 1)
    assert np.isnan(made[LONGEST_STALE + 1 :]).all()


def test_several_series_stand_side_by_side_with_their_fingerprints() -> None:
    one, two = made_of([(2, 60, 1.0)]), replace(made_of([]), name="T", columns=("T High", "T Low"))
    two = replace(two, values=np.empty((0, 2)), fingerprint="g")
    made = beside(SESSIONS, CLOSES, [one, two])
    assert made.columns == ("S", "T High", "T Low")
    assert made.sources == {"S": "f", "T": "g"}
    assert made.values.shape == (len(SESSIONS), 3)
    assert np.isnan(made.values[:, 1:]).all()
