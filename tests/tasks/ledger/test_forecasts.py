"""The ledger keeps what was recorded, whoever comes how often and at once."""

import json
import multiprocessing
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from model.errors import ConfigurationError
from model.forecaster.explanation import Explanation
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tests.postgres import database_on

MADE = datetime(2019, 12, 31, 23, 0, 0, 123456, tzinfo=UTC)
SCORED = datetime(2020, 1, 3, 1, 0, tzinfo=UTC)
FORECAST = RecordedForecast(
    model="META-Open",
    version=3,
    ticker="META",
    column="Open",
    as_of=date(2019, 12, 31),
    session=date(2020, 1, 2),
    forecast=206.1 + 1e-13,
    naive=204.0,
    naive_name="day before's Close",
    source="yahoo",
    stale=False,
    run_id="0123456789abcdef",
    fingerprint="ab" * 32,
    made_at=MADE,
    naives={"newest_Close": 204.0},
    late=False,
)
QUANTILES = {0.025: 200.5, 0.1: 203.25, 0.5: FORECAST.forecast, 0.9: 209.5 + 1e-13, 0.975: 212.25}
DISTRIBUTED = replace(
    FORECAST,
    quantiles=QUANTILES,
    intervals={80: (203.25, 209.5 + 1e-13), 95: (200.5, 212.25)},
    lower=200.5,
    upper=212.25,
    level=0.95,
)
EXPLANATION = Explanation(usual=0.02, factors={"moves": 1.25, "echo": 1.1 + 1e-15, "network": 1.0}, scale=0.0275)


def test_a_forecast_comes_back_as_it_was_recorded(uri: str) -> None:
    naives = {"newest_Open": 205.0 + 1e-13, "newest_Close": 204.0}
    naive = {"constant_250": QUANTILES, "constant_500": {0.25: 1 / 3, 0.75: 2 / 3}}
    whole = replace(DISTRIBUTED, naives=naives, naive_quantiles=naive, stale=True, late=True, currency="GBp")
    whole = replace(whole, explanation=EXPLANATION)
    assert Ledger(uri).append(whole) == (whole, True)
    assert Ledger(uri).rows() == (whole,)


def test_the_quantiles_stand_in_the_database_by_their_probabilities(tmp_path: Path) -> None:
    Ledger(f"sqlite:///{tmp_path}/ledger.db").append(replace(DISTRIBUTED, naive_quantiles={"constant_250": QUANTILES}))
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        ((own, naive),) = connection.execute("SELECT quantiles, naive_quantiles FROM forecasts")
    assert json.loads(own) == {
        "0.025": 200.5,
        "0.1": 203.25,
        "0.5": QUANTILES[0.5],
        "0.9": 209.5 + 1e-13,
        "0.975": 212.25,
    }
    assert json.loads(naive) == {"constant_250": json.loads(own)}


def test_times_come_back_in_utc(uri: str) -> None:
    new_york = timezone(timedelta(hours=-5))
    row, _ = Ledger(uri).append(replace(FORECAST, made_at=MADE.astimezone(new_york)))
    assert (row.made_at, row.made_at.tzinfo) == (MADE, UTC)


def test_the_same_run_twice_leaves_the_first_row(uri: str) -> None:
    ledger = Ledger(uri)
    ledger.append(FORECAST)
    assert ledger.append(replace(FORECAST, forecast=1.0, made_at=SCORED)) == (FORECAST, False)
    assert ledger.rows() == (FORECAST,)


def test_another_version_or_another_day_is_another_row(uri: str) -> None:
    ledger = Ledger(uri)
    later = replace(FORECAST, as_of=date(2020, 1, 2), session=date(2020, 1, 3))
    newer = replace(FORECAST, version=4)
    other = replace(FORECAST, model="META-Close")
    for row in (later, newer, other, FORECAST):
        assert ledger.append(row) == (row, True)
    assert ledger.rows() == (other, FORECAST, newer, later)
    assert ledger.rows("META-Open", version=4) == (newer,)
    assert ledger.rows("META-Open", session=date(2020, 1, 3)) == (later,)


def test_after_a_holiday_that_no_calendar_knew_the_next_session_is_forecast_from_the_same_day(uri: str) -> None:
    ledger = Ledger(uri)
    ledger.append(FORECAST)
    after = replace(FORECAST, session=date(2020, 1, 3), made_at=SCORED)
    assert ledger.append(after) == (after, True)
    assert ledger.rows() == (FORECAST, after)
    observed = replace(after, observed=206.75, observed_at=SCORED)
    assert ledger.fill_in([(after, 206.75)], at=SCORED) == (observed,)
    assert ledger.rows() == (FORECAST, observed)


def test_several_horizons_are_recorded_together_and_readers_see_the_next_session_unless_asked(uri: str) -> None:
    ledger = Ledger(uri)
    week = replace(FORECAST, horizon=5, session=FORECAST.session + timedelta(days=6))
    assert ledger.append_all([FORECAST, week]) == ((FORECAST, True), (week, True))
    assert ledger.append_all([FORECAST, week]) == ((FORECAST, False), (week, False))
    assert ledger.rows() == ledger.by_session() == ledger.of_newest_session(FORECAST.model) == (FORECAST,)
    assert ledger.rows(horizon=5) == (week,)
    assert ledger.unfilled(FORECAST.model) == (FORECAST, week)
    (filled,) = ledger.fill_in([(week, 210.0)], at=SCORED)
    assert (filled.horizon, filled.observed) == (5, 210.0)
    assert ledger.rows() == (FORECAST,)


def test_of_a_later_session_the_first_forecast_stands_whatever_the_verdict_is_at_another_try(uri: str) -> None:
    ledger = Ledger(uri)
    own = replace(FORECAST, horizon=5, session=FORECAST.session + timedelta(days=6))
    naive = replace(own, version=None, run_id="", forecast=204.0)
    again = replace(FORECAST, made_at=SCORED)
    ledger.append_all([FORECAST, own])
    assert ledger.append_all([again, replace(naive, made_at=SCORED)]) == ((FORECAST, False), (own, False))
    other, others_own = replace(FORECAST, model="META-Close"), replace(own, model="META-Close")
    stand_in = replace(naive, model="META-Close")
    ledger.append_all([other, stand_in])
    assert ledger.append_all([other, replace(others_own, made_at=SCORED)]) == ((other, False), (stand_in, False))
    assert ledger.rows(horizon=5) == (stand_in, own)
    # The naive one was recorded for version 3; version 4 has a forecast of its own, which then stands for version 4.
    newer, newer_own = (replace(row, version=4, made_at=SCORED) for row in (other, others_own))
    assert ledger.append_all([newer, newer_own]) == ((newer, True), (newer_own, True))
    assert ledger.append_all([newer, replace(stand_in, made_at=SCORED)])[1] == (newer_own, False)
    assert ledger.append_all([other, others_own])[1] == (stand_in, False)


def test_what_happened_is_filled_in_once(uri: str) -> None:
    ledger = Ledger(uri)
    ledger.append(FORECAST)
    observed = replace(FORECAST, observed=206.75, observed_at=SCORED)
    assert ledger.fill_in([(FORECAST, 206.75)], at=SCORED) == (observed,)
    assert ledger.fill_in([(FORECAST, 1.0)], at=MADE) == (observed,)
    assert ledger.rows() == (observed,)


def test_what_happened_is_filled_in_where_it_is_said_and_nowhere_else(uri: str) -> None:
    ledger = Ledger(uri)
    newer, split = replace(FORECAST, version=4), replace(FORECAST, version=5)
    others = (
        replace(FORECAST, model="META-Close"),
        replace(FORECAST, as_of=date(2020, 1, 2), session=date(2020, 1, 3)),
    )
    for row in (FORECAST, newer, split, *others):
        ledger.append(row)
    ledger.fill_in([(split, 103.375), (FORECAST, 206.75), (newer, 206.75)], at=SCORED)
    assert {row.observed for row in ledger.rows() if row in others} == {None}
    assert [(row.version, row.observed) for row in ledger.rows() if row.observed] == [
        (3, 206.75),
        (4, 206.75),
        (5, 103.375),
    ]


def test_the_naive_distribution_stands_beside_a_version_under_a_key_of_its_own(uri: str) -> None:
    ledger, naive = Ledger(uri), replace(FORECAST, version=None, run_id="")
    assert (naive.named, FORECAST.named) == ("naive", "version 3")
    assert ledger.append(naive) == (naive, True)
    assert ledger.append(replace(naive, forecast=1.0)) == (naive, False)
    assert ledger.append(FORECAST) == (FORECAST, True)
    assert ledger.rows() == (naive, FORECAST)
    assert ledger.rows("META-Open", version=3) == (FORECAST,)
    (observed,) = ledger.fill_in([(naive, 206.75)], at=SCORED)
    assert (observed.version, observed.observed) == (None, 206.75)
    assert ledger.rows() == (observed, FORECAST)
    ledger.fill_in([(FORECAST, 206.75), (naive, 206.75)], at=SCORED)
    assert [row.observed for row in ledger.rows()] == [206.75, 206.75]
    with sa.create_engine(uri, poolclass=sa.NullPool).connect() as connection:
        kept = connection.execute(sa.text("SELECT version FROM forecasts ORDER BY version")).scalars().all()
    assert kept == [0, 3]


def test_a_row_that_was_filled_in_survives_the_same_forecast_again(uri: str) -> None:
    ledger = Ledger(uri)
    ledger.append(FORECAST)
    (observed,) = ledger.fill_in([(FORECAST, 206.75)], at=SCORED)
    assert ledger.append(FORECAST) == (observed, False)


NEVER = [
    "UPDATE forecasts SET forecast = 1",
    "UPDATE forecasts SET made_at = '2030-01-01 00:00:00.000000'",
    "UPDATE forecasts SET lower = 1",
    "UPDATE forecasts SET version = 9",
    "UPDATE forecasts SET late = NULL",
    "UPDATE forecasts SET naives = '{}'",
    """UPDATE forecasts SET quantiles = '{"0.5": 1.0}'""",
    """UPDATE forecasts SET naive_quantiles = '{"constant_250": {"0.5": 1.0}}'""",
    """UPDATE forecasts SET observed = 1, observed_at = '2030-01-01 00:00:00.000000', quantiles = '[]'""",
    "UPDATE forecasts SET observed = 1",
    "UPDATE forecasts SET observed = 1, observed_at = '2030-01-01 00:00:00.000000', forecast = 1",
    "DELETE FROM forecasts",
]


@pytest.mark.parametrize("statement", NEVER)
def test_the_database_itself_refuses_to_change_or_remove_a_forecast(uri: str, statement: str) -> None:
    Ledger(uri).append(FORECAST)
    with (
        sa.create_engine(uri, poolclass=sa.NullPool).connect() as connection,
        pytest.raises(sa.exc.DBAPIError, match="a recorded forecast"),
    ):
        connection.execute(sa.text(statement))
    assert Ledger(uri).rows() == (FORECAST,)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE forecasts SET observed = 2, observed_at = '2030-01-01 00:00:00.000000'",
        "UPDATE forecasts SET observed = NULL, observed_at = NULL",
    ],
)
def test_the_database_itself_refuses_to_change_what_happened(uri: str, statement: str) -> None:
    ledger = Ledger(uri)
    ledger.append(FORECAST)
    observed = ledger.fill_in([(FORECAST, 206.75)], at=SCORED)
    with (
        sa.create_engine(uri, poolclass=sa.NullPool).connect() as connection,
        pytest.raises(sa.exc.DBAPIError, match="never changed"),
    ):
        connection.execute(sa.text(statement))
    assert Ledger(uri).rows() == observed


def test_sqlite_cannot_be_made_to_replace_a_row(tmp_path: Path) -> None:
    Ledger(f"sqlite:///{tmp_path}/ledger.db").append(FORECAST)
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("CREATE TEMP TABLE changed AS SELECT * FROM forecasts")
        connection.execute("UPDATE changed SET forecast = 1")
        connection.execute("INSERT OR REPLACE INTO forecasts SELECT * FROM changed")
    assert Ledger(f"sqlite:///{tmp_path}/ledger.db").rows() == (FORECAST,)


@pytest.mark.servers
def test_postgresql_cannot_be_made_to_empty_the_table(server: sa.URL) -> None:
    with database_on(server) as address:
        Ledger(address).append(FORECAST)
        with (
            sa.create_engine(address, poolclass=sa.NullPool).connect() as connection,
            pytest.raises(sa.exc.DBAPIError, match="never removed"),
        ):
            connection.execute(sa.text("TRUNCATE forecasts"))
        assert Ledger(address).rows() == (FORECAST,)


def _append(uri: str, row: RecordedForecast) -> tuple[RecordedForecast, bool]:
    return Ledger(uri).append(row)


def _fill_in(uri: str, observed: float) -> tuple[RecordedForecast, ...]:
    return Ledger(uri).fill_in([(FORECAST, observed)], at=SCORED)


@pytest.fixture(scope="module")
def eight() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(8, mp_context=multiprocessing.get_context("spawn")) as pool:
        # All eight stand ready before a race begins.
        list(pool.map(abs, range(64)))
        yield pool


@pytest.mark.slow
def test_eight_processes_with_the_same_forecast_make_one_row(uri: str, eight: ProcessPoolExecutor) -> None:
    candidates = [replace(FORECAST, forecast=200.0 + n) for n in range(8)]
    answers = list(eight.map(_append, [uri] * 8, candidates))
    assert sum(created for _, created in answers) == 1
    (standing,) = Ledger(uri).rows()
    assert {row for row, _ in answers} == {standing}
    assert standing in candidates


@pytest.mark.slow
def test_eight_processes_with_different_forecasts_lose_none(uri: str, eight: ProcessPoolExecutor) -> None:
    candidates = [replace(FORECAST, version=n) for n in range(1, 161)]
    answers = list(eight.map(_append, [uri] * len(candidates), candidates))
    assert answers == [(row, True) for row in candidates]
    assert Ledger(uri).rows() == tuple(candidates)


@pytest.mark.slow
def test_eight_processes_agree_on_what_happened(uri: str, eight: ProcessPoolExecutor) -> None:
    Ledger(uri).append(FORECAST)
    answers = set(eight.map(_fill_in, [uri] * 8, [100.0 + n for n in range(8)]))
    assert answers == {Ledger(uri).rows()}


def test_a_table_of_that_name_that_is_not_ours_is_left_alone(uri: str, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with sa.create_engine(uri, poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.text("CREATE TABLE forecasts (weather TEXT)"))
    with pytest.raises(ConfigurationError, match="already exists"):
        Ledger(uri)
    with sa.create_engine(uri, poolclass=sa.NullPool).connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["forecasts"]


def _not_a_database(folder: Path) -> None:
    (folder / "ledger.db").write_text("Date,Open\n" * 200)


def _a_folder(folder: Path) -> None:
    (folder / "ledger.db").mkdir()


@pytest.mark.parametrize("spoil", [_not_a_database, _a_folder])
def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(tmp_path)
    with pytest.raises(ConfigurationError, match=r"ledger\.db"):
        Ledger(f"sqlite:///{tmp_path}/ledger.db")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(ConfigurationError, match="state"):
        Ledger(f"sqlite:///{tmp_path}/state/ledger.db")


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "ledger.db",
        "mysql://tomorrow:geheim@host/db",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://a:geheim@host:x/d",
    ],
)
def test_an_address_that_cannot_be_a_ledger_is_refused_without_its_password(uri: str) -> None:
    with pytest.raises(ConfigurationError, match=r"sqlite:///FILE") as refusal:
        Ledger(uri)
    assert "geheim" not in str(refusal.value.as_json())


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1:1/") as refusal:
        Ledger("postgresql://tomorrow:geheim@127.0.0.1:1/ledger")
    assert "geheim" not in str(refusal.value.as_json())


def test_a_ledger_that_may_not_be_written_is_named_and_still_read(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    Ledger(f"sqlite:///{file}").append(FORECAST)
    file.chmod(0o400)
    if os.geteuid() == 0:
        pytest.skip("root may write any file")
    ledger = Ledger(f"sqlite:///{file}")
    assert ledger.rows() == (FORECAST,)
    with pytest.raises(ConfigurationError, match="readonly"):
        ledger.append(replace(FORECAST, version=4))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"session": FORECAST.as_of}, "not after"),
        ({"forecast": float("nan")}, "no price"),
        ({"made_at": datetime(2020, 1, 1)}, "zone"),  # noqa: DTZ001 - that is what is refused
        ({"lower": None}, "lower, upper and level"),
        ({"naives": {"drift": float("inf")}}, "no price"),
        ({"observed": 1.0}, "observed and observed_at"),
        ({"quantiles": QUANTILES | {0.1: float("nan")}}, "no price"),
        ({"naive_quantiles": {"constant_250": {0.5: float("inf")}}}, "no price"),
        ({"quantiles": QUANTILES | {0.9: 200.0}}, "ascend"),
        ({"quantiles": QUANTILES | {97.5: 300.0}}, "between 0 and 1"),
        ({"naive_quantiles": {"constant_250": {0.5: 2.0, 0.75: 1.0}}}, "ascend"),
        ({"forecast": 205.0}, "not the median"),
        ({"quantiles": {0.1: 203.25, 0.9: 209.5}}, "not the median"),
        ({"quantiles": {}}, "80 % interval is not that of the distribution"),
        ({"quantiles": QUANTILES | {0.975: 212.5}}, "95 % interval is not that of the distribution"),
        ({"upper": 212.5}, "not the 95 % interval"),
    ],
)
def test_what_cannot_be_a_forecast_cannot_be_recorded(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        replace(DISTRIBUTED, **change)  # type: ignore[arg-type]
