"""The way back and the stages of a day are read from the lines on record; lines are kept as they were written."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from model.errors import ConfigurationError
from model.evaluation.decision import DecisionWord, FurtherVerdict, Verdict
from tasks.registry.ruling import Ruling
from tasks.registry.stage_history import StageChange, StageHistory, stages_at, way_back

MODEL = "META-Open"
START = datetime(2020, 2, 3, 22, 15, tzinfo=UTC)


def line(
    version: int,
    before: str,
    after: str,
    decision: DecisionWord = DecisionWord.PROMOTED,
    hours: int = 0,
) -> StageChange:
    ruling = Ruling(decision=decision, reasons=("So.", "Thus."), at=START + timedelta(hours=hours), by="ada")
    return StageChange.of(ruling, f"move {hours}", MODEL, version, before, after)


def arrivals(*versions: int, rolled_back: tuple[int, ...] = ()) -> list[StageChange]:
    """Versions that came into Production one after another; `rolled_back` says at which places by a rollback."""
    words = dict.fromkeys(rolled_back, DecisionWord.ROLLED_BACK)
    return [
        line(version, "Staging", "Production", words.get(place, DecisionWord.PROMOTED), hours=place)
        for place, version in enumerate(versions)
    ]


@pytest.mark.parametrize(
    ("versions", "rolled_back", "way"),
    [
        ((), (), ()),
        ((1,), (), ()),
        ((1, 2, 3), (), (2, 1)),
        ((1, 2, 3, 2), (3,), (1,)),
        ((1, 2, 3, 2, 1), (3, 4), ()),
        ((1, 2, 3, 2, 4), (3,), (2, 1)),
        ((1, 2, 1), (), (2, 1)),
        ((3,), (0,), ()),
    ],
    ids=[
        "nothing was there",
        "one alone",
        "nearest first",
        "a rollback",
        "two rollbacks",
        "one after a rollback",
        "promoted again",
        "a rollback to what is not on record",
    ],
)
def test_the_way_back_leads_past_what_was_rolled_back(
    versions: tuple[int, ...], rolled_back: tuple[int, ...], way: tuple[int, ...]
) -> None:
    assert way_back(arrivals(*versions, rolled_back=rolled_back)) == way


def test_only_what_came_into_production_is_on_the_way_back() -> None:
    lines = [
        *arrivals(1),
        line(2, "None", "Staging", DecisionWord.MOVED, hours=1),
        line(1, "Production", "Production", DecisionWord.MOVED, hours=2),
        *arrivals(2),
        line(1, "Production", "Archived", DecisionWord.SUPERSEDED, hours=3),
    ]
    assert way_back(lines) == (1,)


def test_the_stages_of_a_moment_are_those_of_the_lines_up_to_it() -> None:
    lines = [
        line(1, "None", "Staging", DecisionWord.MOVED, hours=0),
        line(1, "Staging", "Production", hours=1),
        line(1, "Production", "Production", DecisionWord.REFUSED, hours=2),
        line(2, "None", "Production", hours=3),
        line(1, "Production", "Archived", DecisionWord.SUPERSEDED, hours=3),
    ]
    assert stages_at(lines, START - timedelta(seconds=1)) == {}
    assert stages_at(lines, START) == {1: lines[0]}
    assert stages_at(lines, START + timedelta(hours=2)) == {1: lines[1]}, "a decision that moves nothing"
    assert stages_at(lines, START + timedelta(hours=3)) == {1: lines[4], 2: lines[3]}


def test_where_the_clock_was_set_back_the_last_on_record_is_in_production() -> None:
    lines = [line(1, "None", "Production", hours=5), line(2, "None", "Production", hours=1)]
    assert stages_at(lines, START + timedelta(hours=9)) == {2: lines[1]}


def test_lines_are_read_as_they_were_written(tmp_path: Path) -> None:
    history = StageHistory(f"sqlite:///{tmp_path}/ledger.db")
    written = [line(1, "None", "Staging", word, hours=place) for place, word in enumerate(DecisionWord)]
    history.append(written)
    assert history.changes(MODEL) == tuple(written)
    assert history.newest(MODEL) == (written[-1],)
    assert history.move(MODEL, "move 3") == (written[3],)
    assert history.changes("AAPL-Open") == ()


def test_an_unknown_decision_on_record_names_the_line_and_what_to_do(tmp_path: Path) -> None:
    history = StageHistory(f"sqlite:///{tmp_path}/ledger.db")
    history.append([line(1, "None", "Staging")])
    with sa.create_engine(f"sqlite:///{tmp_path}/ledger.db").begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO stage_changes SELECT 2, move, model, 7, before, after, at, by, 'praised', reasons,"
                " forced, verdict, evidence, further FROM stage_changes"
            )
        )
    with pytest.raises(ConfigurationError, match="line 2 of the history of META-Open version 7") as caught:
        history.changes(MODEL)
    assert (caught.value.have, "upgrade tomorrow" in str(caught.value)) == ("the decision 'praised'", True)


def test_the_verdicts_of_further_horizons_are_on_record_and_lines_before_had_none(tmp_path: Path) -> None:
    history = StageHistory(f"sqlite:///{tmp_path}/ledger.db")
    known = {5: FurtherVerdict(Verdict.UNDECIDED, 3.5), 21: FurtherVerdict(Verdict.NO_SKILL, 1.0)}
    plain = replace(line(1, "None", "Staging"), verdict="proven", evidence=46.0)
    whole = replace(plain, version=2, further=known)
    history.append([plain, whole])
    assert history.changes(MODEL) == (plain, whole)
    judged = history.judged(MODEL, 2)
    assert judged is not None
    assert judged.ruling.further == known
    assert {name: text for name, text in judged.ruling.tags().items() if "." in name and "decision" not in name} == {
        "verdict.5": "undecided",
        "evidence.5": "3.5",
        "verdict.21": "no skill",
        "evidence.21": "1",
    }
