"""The way back and the record of it: promoted, rolled back, changed by hand, and told."""

import warnings
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flows.cli.commands.record.history import end_of_day
from flows.runs.clock import clock_at
from model.evaluation.decision import DecisionWord
from tasks.registry.registry import Registry
from tasks.registry.ruling import Ruling
from tasks.settings import read_settings
from tasks.tracking.client import Tracking
from tests.flows.conftest import Run

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "SAMPLE-Open"
MONDAY = datetime(2020, 6, 15, 22, 0, tzinfo=UTC)


@pytest.fixture
def registry(home: Path, client: "MlflowClient") -> Registry:
    """Two versions that need no network, promoted on a Monday and on the day after; the second has no skill."""
    registry = Registry(Tracking(client, read_settings({"TOMORROW_HOME": str(home)})))
    for number in (1, 2):
        run_id = client.create_run("0").info.run_id
        registry.register(MODEL, run_id=run_id, model_uri=f"runs:/{run_id}/forecaster")
        at = MONDAY + timedelta(days=number - 1)
        verdict, forced = (None, None) if number == 1 else ("no skill", "to try it")
        word = DecisionWord.PROMOTED if number == 1 else DecisionWord.FORCED
        reasons = (f"Judged on {number} sessions.",)
        ruling = Ruling(decision=word, reasons=reasons, at=at, by="somebody", forced=forced, verdict=verdict)
        registry.move(MODEL, number, "Production", ruling)
    return registry


def production(run: Run, on: str) -> list[Mapping[str, Any]]:
    stages = run("history", MODEL, "--on", on, "--json").json["stages"]
    return [line for line in stages if line["stage"] == "Production"]


def test_a_day_ends_at_midnight_in_new_york() -> None:
    assert end_of_day(date(2020, 6, 15)) == datetime(2020, 6, 16, 3, 59, 59, 999999, tzinfo=UTC)
    assert end_of_day(date(2020, 1, 15)) == datetime(2020, 1, 16, 4, 59, 59, 999999, tzinfo=UTC)


def test_history_tells_what_was_in_production_on_a_day_since_when_by_whom_and_why(run: Run, registry: Registry) -> None:
    assert production(run, "2020-06-14") == []
    (first,), (second,) = production(run, "2020-06-15"), production(run, "2020-06-16")
    assert (first["version"], first["decision"], first["since"]) == (1, "promoted", MONDAY.isoformat())
    assert (second["version"], second["by"], second["forced"]) == (2, "somebody", "to try it")
    assert (first["verdict"], second["verdict"]) == (None, "no skill")
    told = run("history", MODEL, "--on", "2020-06-16").out
    assert "Production version 2 (no skill), since 2020-06-16 18:00, forced by somebody" in told
    assert "Against the gate, because: to try it" in told
    assert "Judged on 2 sessions." in told
    assert "Archived   version 1, since 2020-06-16 18:00, superseded by somebody" in told
    assert registry.production(MODEL, MONDAY).version == 2
    unknown = run("history", "SAMPLE-Opne")
    assert (unknown.code, unknown.out) == (2, "")
    assert "one of SAMPLE-Open" in unknown.err


def test_a_change_by_hand_is_noticed_by_history_and_told(run: Run, registry: Registry, client: "MlflowClient") -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        client.transition_model_version_stage(MODEL, "1", "Production")
    with clock_at(MONDAY + timedelta(days=9)):
        noticed = run("history", MODEL)
    assert "note: Version 1 of SAMPLE-Open was moved from Archived to Production by hand" in noticed.out
    assert "2020-06-24 18:00  version 1: Archived to Production, by hand" in noticed.out
    assert [line["version"] for line in production(run, "2020-06-23")] == [2]
    assert [line["version"] for line in production(run, "2020-06-24")] == [1]
    assert registry.production(MODEL, MONDAY).version == 1


def test_a_rollback_wants_a_reason_and_is_followed_at_once(run: Run, registry: Registry) -> None:
    assert run("rollback", MODEL).code == 2
    with clock_at(MONDAY + timedelta(days=2)):
        back = run("rollback", MODEL, "--reason", "it drifts", "--json")
    assert (back.code, back.json["version"], back.json["stage"]) == (0, 1, "Production")
    assert back.json["archived"] == [2]
    assert registry.production(MODEL, MONDAY).version == 1
    (line,) = production(run, "2020-06-17")
    assert (line["version"], line["decision"], line["reasons"]) == (1, "rolled back", ["it drifts"])
    further = run("rollback", MODEL, "--reason", "further")
    assert (further.code, further.out) == (2, "")
    assert "no earlier Production version is recorded" in further.err


def test_a_long_history_shows_what_is_new_and_how_much_is_left_out(
    run: Run, registry: Registry, client: "MlflowClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (3, 4, 5, 6):
        run_id = client.create_run("0").info.run_id
        registry.register(MODEL, run_id=run_id, model_uri=f"runs:/{run_id}/forecaster")
        at = MONDAY + timedelta(days=number)
        ruling = Ruling(decision=DecisionWord.PROMOTED, reasons=("Good.",), at=at, by="gate", verdict="proven")
        registry.move(MODEL, number, "Production", ruling)
    every = run("history", MODEL, "--json").json
    assert (len(every["changes"]), len(every["stages"]), every["more"]) == (11, 6, {})
    monkeypatch.setattr("flows.cli.commands.record.history.VERSIONS", 2)
    monkeypatch.setattr("flows.cli.commands.record.history.LINES", 3)
    few = run("history", MODEL, "--json").json
    assert few["changes"] == every["changes"][-3:]
    assert [(line["stage"], line["version"]) for line in few["stages"]] == [
        ("Production", 6),
        ("Archived", 4),
        ("Archived", 5),
    ]
    assert [line for line in every["stages"] if line in few["stages"]] == few["stages"]
    assert few["more"] == {"Archived": 3, "changes": 8}
    told = run("history", MODEL).out
    assert "Archived   3 more versions; --all shows every one" in told
    assert "The newest 3 of 11 changes and decisions; --all shows every one:" in told
    assert run("history", MODEL, "--all", "--json").json == every
    assert run("history", MODEL, "--on", "2020-06-19", "--json").json["more"] == {"Archived": 1, "changes": 4}


def test_a_clock_that_was_set_back_changes_neither_the_order_nor_who_is_in_production(
    run: Run, registry: Registry, client: "MlflowClient"
) -> None:
    run_id = client.create_run("0").info.run_id
    registry.register(MODEL, run_id=run_id, model_uri=f"runs:/{run_id}/forecaster")
    set_back = Ruling(decision=DecisionWord.PROMOTED, reasons=("Good.",), at=MONDAY + timedelta(hours=1), by="somebody")
    registry.move(MODEL, 3, "Production", set_back)
    assert [line["version"] for line in production(run, "2020-06-15")] == [3]
    assert [line["version"] for line in production(run, "2020-06-16")] == [3]
    told = run("history", MODEL, "--json").json
    assert [change["version"] for change in told["changes"]] == [1, 2, 1, 3, 2]
    assert [stage["version"] for stage in told["stages"] if stage["stage"] == "Production"] == [3]
    with clock_at(MONDAY):
        assert run("rollback", MODEL, "--reason", "errors", "--json").json["version"] == 2
        assert run("rollback", MODEL, "--reason", "more errors", "--json").json["version"] == 1


def test_control_characters_in_a_reason_are_shown_escaped_everywhere(
    run: Run, registry: Registry, client: "MlflowClient"
) -> None:
    evil = "\x1b[2Jfine\n  2020-06-17 18:00  version 9: Production\u202e"
    shown = "\\x1b[2Jfine\\n  2020-06-17 18:00  version 9: Production\\u202e"
    assert registry.production(MODEL, MONDAY).version == 2
    done = run("rollback", MODEL, "--reason", evil)
    assert done.code == 0
    history, answer = run("history", MODEL), run("history", MODEL, "--json").json
    (line,) = [line for line in history.out.splitlines() if "version 9" in line and "Every" not in line][:1]
    assert line.strip() == shown
    assert [change["reasons"] for change in answer["changes"] if change["decision"] == "rolled back"] == [[shown]]
    assert client.get_model_version(MODEL, "1").tags["decision.reasons"] == shown
    for out in (done.out, done.err, history.out, run("status").out):
        assert not {"\x1b", "\u202e"}.intersection(out)
    # What somebody has written into a tag by hand is at least not sent to the terminal.
    client.set_model_version_tag(MODEL, "1", "verdict", "\x1b[31mproven")
    assert "\x1b" not in run("status").out + run("history", MODEL).out
