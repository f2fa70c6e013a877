"""A damaged ledger is told as such, with the row, and what protects it is noticed where it is gone."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from model.errors import ConfigurationError
from model.evaluation.decision import DecisionWord
from tasks.ledger.database import LedgerDatabase
from tasks.ledger.forecasts import Ledger
from tasks.ledger.kept_files import KeptFiles, Trained
from tasks.ledger.retraining_requests import RetrainingRequest, RetrainingRequests
from tasks.ledger.trials import Trials
from tasks.ledger.triggers import on_sqlite
from tasks.registry.ruling import Ruling
from tasks.registry.stage_history import StageChange, StageHistory, new_move
from tests.tasks.ledger.test_forecasts import FORECAST

AT = datetime(2020, 1, 31, 22, 0, tzinfo=UTC)
MODEL = FORECAST.model


def execute(uri: str, *statements: str) -> None:
    with sa.create_engine(uri, poolclass=sa.NullPool).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def refusal(act: Callable[[], object]) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as refused:
        act()
    assert refused.value.exit_code == 2
    assert refused.value.subject.startswith("the ledger ")
    return refused.value


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["DELETE FROM ledger_version"], "the table ledger_version has 0 rows instead of one"),
        (["INSERT INTO ledger_version VALUES (1)"], "the table ledger_version has 2 rows instead of one"),
    ],
)
def test_a_ledger_whose_version_is_not_one_row_is_refused(uri: str, statements: list[str], said: str) -> None:
    Ledger(uri).append(FORECAST)
    execute(uri, *statements)
    error = refusal(lambda: Ledger(uri))
    assert error.have == said
    assert "copy" in error.remedy


def test_a_version_that_is_no_number_is_refused(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/ledger.db"
    Ledger(uri)
    execute(uri, "UPDATE ledger_version SET version = 'one'")
    assert "says 'one', which is no number" in refusal(lambda: Ledger(uri)).have


def changed(folder: Path, table: str, column: str, value: object) -> str:
    """A ledger with thirty forecasts and a row of each other kind; one of them was changed, past its trigger."""
    uri = f"sqlite:///{folder}/ledger.db"
    ledger = Ledger(uri)
    for day in range(30):
        as_of = FORECAST.as_of + timedelta(days=day)
        ledger.append(replace(FORECAST, as_of=as_of, session=as_of + timedelta(days=1)))
    Trials(uri).record(MODEL, "a", "a", date(2012, 5, 18), date(2015, 3, 2), AT)
    RetrainingRequests(uri).ask(
        RetrainingRequest(model=MODEL, session=date(2020, 1, 31), version=1, at=AT, reasons="It drifts.")
    )
    moved = Ruling(decision=DecisionWord.MOVED, reasons=("Trained.",), at=AT, by="train")
    StageHistory(uri).append([StageChange.of(moved, new_move(), MODEL, 1, "None", "Staging")])
    packaged = Trained(model=MODEL, run_id="1", key="a key", as_of=date(2020, 1, 31))
    KeptFiles(uri).package("models:/m-1", packaged, {"MLmodel": "0" * 64})
    assert KeptFiles(uri).register("models:/META-Open/1", "models:/m-1", "1", "a key")
    with sqlite3.connect(folder / "ledger.db") as connection:
        (made,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", [f"{table}_stand"]).fetchone()
        connection.execute(f"DROP TRIGGER {table}_stand")
        where = "as_of = '2020-01-17'" if table == "forecasts" else "1"
        connection.execute(f'UPDATE {table} SET "{column}" = ? WHERE {where}', [value])  # noqa: S608
        connection.execute(made)
    return uri


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("quantiles", '{"0.5": '),
        ("quantiles", "[]"),
        ("quantiles", '{"a half": 100.0}'),
        ("naives", "17"),
        ("intervals", '{"80": [1]}'),
        ("explanation", '{"usual": 1.0}'),
        ("explanation", '{"usual": 1.0, "factors": {"moves": 2.0}, "scale": 2.1}'),
        ("naive_quantiles", '{"constant_250": 3}'),
        ("session", "the day after"),
        ("session", "2020-02-31"),
        ("made_at", "yesterday"),
        ("forecast", "a hundred"),
        ("model", b"\xff\xfe"),
    ],
)
def test_a_damaged_row_of_the_forecasts_is_named(tmp_path: Path, column: str, value: object) -> None:
    uri = changed(tmp_path, "forecasts", column, value)
    error = refusal(lambda: Ledger(uri).rows())
    assert "the row of the table forecasts with model" in error.have
    assert "as_of 2020-01-17, session " in error.have
    assert " is damaged" in error.have
    assert "copy" in error.remedy
    undamaged = FORECAST.as_of + timedelta(days=19)
    assert len(Ledger(uri).rows(session=undamaged)) == 1


@pytest.mark.parametrize(
    ("table", "column", "value", "read"),
    [
        ("trials", "first", "soon", lambda uri: Trials(uri).of(MODEL, "a")),
        ("trials", "oldest", "2012-13-01", lambda uri: Trials(uri).of(MODEL, "a")),
        ("retraining", "at", "tomorrow", lambda uri: RetrainingRequests(uri).newest(MODEL)),
        ("stage_changes", "at", "soon", lambda uri: StageHistory(uri).changes(MODEL)),
        ("stage_changes", "reasons", b"\x00", lambda uri: StageHistory(uri).newest(MODEL)),
        ("kept_files", "digest", b"\x00", lambda uri: KeptFiles(uri).version("models:/META-Open/1", "models:/m-1")),
        ("artefacts", "as_of", "soon", lambda uri: KeptFiles(uri).trained("models:/META-Open/1", "models:/m-1")),
    ],
)
def test_a_damaged_row_of_another_table_is_named(
    tmp_path: Path, table: str, column: str, value: object, read: Callable[[str], object]
) -> None:
    uri = changed(tmp_path, table, column, value)
    assert f"the row of the table {table} with " in refusal(lambda: read(uri)).have


@pytest.mark.parametrize("name", sorted(on_sqlite()))
def test_a_trigger_that_is_gone_is_put_back_and_said_once(tmp_path: Path, name: str) -> None:
    uri = f"sqlite:///{tmp_path}/ledger.db"
    Ledger(uri).append(FORECAST)
    execute(uri, f"DROP TRIGGER {name}")
    error = refusal(lambda: Ledger(uri))
    assert error.have == f"triggers that protect its records were gone or changed: {name}; they are back now"
    assert "compare the ledger with a copy" in error.remedy
    assert Ledger(uri).rows() == (FORECAST,)
    for statement in ("UPDATE forecasts SET forecast = 1", "DELETE FROM forecasts"):
        with pytest.raises(sa.exc.DBAPIError, match="a recorded forecast is never"):
            execute(uri, statement)


@pytest.mark.parametrize("name", ["forecasts_stand", "trials_stay"])
def test_a_trigger_that_was_exchanged_for_one_that_does_nothing_is_noticed(tmp_path: Path, name: str) -> None:
    uri = f"sqlite:///{tmp_path}/ledger.db"
    Ledger(uri)
    table = name.partition("_")[0]
    execute(uri, f"DROP TRIGGER {name}", f"CREATE TRIGGER {name} BEFORE DELETE ON {table} BEGIN SELECT 1; END")
    assert name in refusal(lambda: Ledger(uri)).have
    Ledger(uri)


@pytest.mark.servers
@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("DROP TRIGGER forecasts_stand ON forecasts", "forecasts_stand"),
        ("DROP TRIGGER forecasts_stay ON forecasts", "forecasts_stay"),
        ("ALTER TABLE trials DISABLE TRIGGER trials_stand", "trials_stand"),
        ("ALTER TABLE kept_files DISABLE TRIGGER USER", "kept_files_stand"),
        ("DROP FUNCTION forecasts_stand() CASCADE", "forecasts_stand, forecasts_stay"),
        (
            "CREATE OR REPLACE FUNCTION retraining_stand() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RETURN OLD; END $$",
            "retraining_stand",
        ),
        (
            "DROP TRIGGER stage_changes_stand ON stage_changes;; CREATE TRIGGER stage_changes_stand BEFORE UPDATE ON "
            "stage_changes FOR EACH STATEMENT EXECUTE FUNCTION stage_changes_stand()",
            "stage_changes_stand",
        ),
    ],
)
def test_postgresqls_triggers_are_noticed_and_put_back_too(server: sa.URL, statement: str, names: str) -> None:
    from tests.postgres import database_on

    with database_on(server) as uri:
        Ledger(uri).append(FORECAST)
        Trials(uri).record(MODEL, "a", "a", date(2012, 5, 18), date(2015, 3, 2), AT)
        execute(uri, *statement.split(";; "))
        have = f"triggers that protect its records were gone or changed: {names}; they are back now"
        assert refusal(lambda: Ledger(uri)).have == have
        assert Ledger(uri).rows() == (FORECAST,)
        for table in ("forecasts", "trials"):
            with pytest.raises(sa.exc.DBAPIError, match="is never"):
                execute(uri, f"DELETE FROM {table}")  # noqa: S608


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write any file")
def test_a_ledger_that_may_only_be_read_says_so(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/ledger.db"
    Ledger(uri)
    execute(uri, "DROP TRIGGER trials_stay")
    (tmp_path / "ledger.db").chmod(0o400)
    assert "readonly" in refusal(lambda: Ledger(uri)).have


@pytest.mark.parametrize("left", [100, 4096, 5000])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, left: int) -> None:
    uri = f"sqlite:///{tmp_path}/ledger.db"
    Ledger(uri).append(FORECAST)
    file = tmp_path / "ledger.db"
    file.write_bytes(file.read_bytes()[:left])
    error = refusal(lambda: Ledger(uri).rows())
    assert "copy" in error.remedy
    assert len(file.read_bytes()) == left


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    file.write_text("a letter to the board\n" * 50)
    error = refusal(lambda: LedgerDatabase(f"sqlite:///{file}"))
    assert error.have == "file is not a database"
    assert "copy" in error.remedy
    assert file.read_text().startswith("a letter to the board")
