"""A mistyped model or version is noticed by a look at MLflow's database, and what is right is let pass."""

from dataclasses import replace

import pytest

from model.errors import NothingInProduction, UsageError
from model.evaluation.decision import DecisionWord
from tasks.registry.mistakes import check_model, check_production, check_version
from tasks.registry.registry import Registry
from tasks.settings import Settings, TrackingSettings
from tasks.tracking.client import Tracking
from tasks.tracking.database import read_registered
from tests.tasks.registry.versions import MODEL, NOW, PASSED, train


def test_what_is_registered_is_read_as_mlflow_has_it(registry: Registry, tracking: Tracking) -> None:
    for _ in range(3):
        train(tracking)
    registry.move(MODEL, 1, "Production", PASSED)
    tracking.client.delete_model_version(MODEL, "2")
    train(tracking, "KO-Open")
    found = read_registered(tracking.settings)
    assert found is not None
    assert found.decisions == {"KO-Open": {1: ""}, MODEL: {1: "promoted", 3: ""}}
    assert found.in_production == {MODEL}


def test_a_model_or_version_that_is_not_there_is_named_with_those_that_are(tracking: Tracking) -> None:
    train(tracking)
    settings = tracking.settings
    check_model(settings, MODEL)
    check_version(settings, MODEL, 1)
    with pytest.raises(UsageError, match="model 'META-Opne': not registered\n  needed: one of META-Open"):
        check_version(settings, "META-Opne", 1)
    with pytest.raises(UsageError, match="version 9 of META-Open: no such version\n  needed: one of 1"):
        check_version(settings, MODEL, 9)


def test_only_a_version_that_waits_can_be_approved(registry: Registry, tracking: Tracking) -> None:
    train(tracking)
    waiting = replace(PASSED, decision=DecisionWord.WAITING)
    registry.move(MODEL, 1, "Staging", waiting)
    check_version(tracking.settings, MODEL, 1, waits=True)
    registry.record(registry.version(MODEL, 1), PASSED)
    with pytest.raises(UsageError, match="it does not wait for approval: its decision is 'promoted'"):
        check_version(tracking.settings, MODEL, 1, waits=True)


def test_nothing_in_production_is_said_and_something_is_not(registry: Registry, tracking: Tracking) -> None:
    train(tracking)
    with pytest.raises(NothingInProduction):
        check_production(tracking.settings, MODEL, NOW)
    registry.move(MODEL, 1, "Production", PASSED)
    check_production(tracking.settings, MODEL, NOW)


def test_where_a_server_keeps_the_versions_nothing_is_noticed(settings: Settings) -> None:
    elsewhere = settings.model_copy(update={"tracking": TrackingSettings(uri="http://127.0.0.1:9")})
    assert read_registered(elsewhere) is None
    check_version(elsewhere, "META-Opne", 9)
