"""All models are read at once: each as by itself, from few questions, and what is wrong with one hides no other."""

import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from model.errors import NothingInProduction
from model.evaluation.decision import DecisionWord
from tasks.forecasts.overview import in_production
from tasks.registry import mlflow_registry, stage_history, stage_writer
from tasks.registry.manual_changes import ModelView
from tasks.registry.registry import Registry
from tasks.registry.stage_writer import StageWriter
from tasks.serving.following.production import ProductionLook
from tasks.tracking.client import Tracking
from tests.tasks.registry.versions import MODEL, NOW, PASSED, by_hand, move_by_hand, train

JUDGED = replace(PASSED, verdict="proven", evidence=46.0)
MODELS = ("AAPL-Close", "IBM-Open", MODEL, "SAP-Open")


@pytest.fixture
def several(registry: Registry, tracking: Tracking) -> Registry:
    """One model with a version in Production, one with four of which the third is, one that waits, one without."""
    registry.move("AAPL-Close", train(tracking, "AAPL-Close"), "Production", JUDGED)
    for _ in range(4):
        train(tracking)
    for number in (1, 2, 3):
        registry.move(MODEL, number, "Production", JUDGED)
    registry.record(registry.version(MODEL, 3), replace(PASSED, decision=DecisionWord.REFUSED))
    registry.move("SAP-Open", train(tracking, "SAP-Open"), "Staging", PASSED)
    train(tracking, "IBM-Open")
    return registry


@pytest.fixture
def writer(tracking: Tracking) -> StageWriter:
    return StageWriter(mlflow_registry.MlflowRegistry(tracking.client), tracking.settings.ledger_uri)


def test_each_is_seen_as_by_itself(several: Registry, writer: StageWriter) -> None:
    views = several.views(several.states())
    assert tuple(views) == MODELS
    assert views == {model: writer.glance(model) for model in MODELS}


def test_without_any_model_there_is_nothing_to_see(registry: Registry) -> None:
    assert registry.views(registry.states()) == {}


@pytest.mark.parametrize("many", [1, 2])
def test_where_few_versions_are_new_the_same_is_in_production(
    several: Registry, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ((mlflow_registry, "LATELY"), (stage_history, "LATELY"), (stage_writer, "NEWEST_OF_ALL")):
        monkeypatch.setattr(*place, many)
    monkeypatch.setattr(mlflow_registry, "PAGE", many)

    def found(model: str, view: ModelView | None) -> object:
        try:
            return several.production(model, NOW, view)
        except NothingInProduction as error:
            return error.have, error.remedy

    views = several.views(several.states())
    assert all(view.agrees for view in views.values())
    assert [found(model, views[model]) for model in MODELS] == [found(model, None) for model in MODELS]


def test_mlflow_is_asked_once_for_the_versions_of_all_models(
    several: Registry, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def listen_to(question: str) -> None:
        ask = getattr(tracking.client, question)

        def heard(*given: object, **named: object) -> object:
            asked.append(question)
            return ask(*given, **named)

        monkeypatch.setattr(tracking.client, question, heard)

    for question in ("search_registered_models", "search_model_versions", "get_model_version"):
        listen_to(question)
    for model, view in several.views(several.states()).items():
        if model in ("AAPL-Close", MODEL):
            several.production(model, NOW, view)
    assert asked == ["search_registered_models", "search_model_versions"]


def test_a_look_says_by_which_line_each_version_came_into_production(several: Registry, tracking: Tracking) -> None:
    found = ProductionLook(tracking.settings).look(NOW)
    assert {model: there and there.version.version for model, there in found.items()} == {
        "AAPL-Close": 1,
        "IBM-Open": None,
        MODEL: 3,
        "SAP-Open": None,
    }
    for model in ("AAPL-Close", MODEL):
        there = found[model]
        assert there is not None
        # The newest line of version 3 is that of a decision, which left it where it was.
        assert there.arrived == several.history.arrivals(model)[-1]
        assert there.version.tags["verdict"] == "proven"
        assert there.trained is not None


def test_a_change_by_hand_is_noticed_by_the_first_look_at_all_models(several: Registry, tracking: Tracking) -> None:
    move_by_hand(tracking.client, 1, "Production")
    (there,) = (found for model, found in in_production(tracking.settings, NOW).items() if model == MODEL)
    assert there is not None
    assert there.version == 1
    assert there.notes
    assert by_hand(several) == [(1, "Archived", "Production", "by hand"), (3, "Production", "Archived", "superseded")]


def test_a_version_that_is_moved_between_the_reads_is_not_missed(
    several: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process puts version 4 into Production after MLflow was asked, and before the history is."""
    asked, reading = several.states(), stage_history.StageHistory.lately_of

    def moved(history: stage_history.StageHistory, *given: Any) -> object:
        several.move(MODEL, 4, "Production", JUDGED)
        return reading(history, *given)

    monkeypatch.setattr(stage_history.StageHistory, "lately_of", moved)
    view = several.views(asked)[MODEL]
    assert not view.agrees
    assert several.production(MODEL, NOW, view).version == 4
    assert by_hand(several) == []


@pytest.mark.usefixtures("several")
def test_a_damaged_line_of_one_model_hides_no_other(tracking: Tracking) -> None:
    file = tracking.settings.ledger_uri.file
    assert file is not None
    with sqlite3.connect(file) as ledger:
        columns = "move, model, version, before, after, at, by, reasons"
        ledger.execute(
            f"INSERT INTO stage_changes ({columns}, decision) SELECT {columns}, 'dreamt' FROM stage_changes "  # noqa: S608 - of this test's own words
            "WHERE model = 'AAPL-Close'"
        )
    look = ProductionLook(tracking.settings)
    there = look.look(NOW)[MODEL]
    assert there is not None
    assert there.version.version == 3
    assert set(look.faults) == {"AAPL-Close"}
