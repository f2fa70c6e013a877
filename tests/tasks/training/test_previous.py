"""Which sessions a model's versions know, asked without reading all of them."""

from datetime import date

import pytest

from model.market.calendar import ExchangeCalendar
from tasks.registry import mlflow_registry
from tasks.registry.registry import Registry
from tasks.tracking.client import Tracking
from tasks.training import previous
from tasks.training.previous import trained_until

MODEL = "META-Open"
CALENDAR = ExchangeCalendar()
FRIDAY, MONDAY, TUESDAY = date(2020, 2, 7), date(2020, 2, 10), date(2020, 2, 11)


def register(tracking: Tracking, *days: date) -> Registry:
    """Versions as of these days, in this order."""
    registry = Registry(tracking)
    for day in days:
        run_id = tracking.client.create_run(tracking.experiment_id()).info.run_id
        registry.register(MODEL, run_id=run_id, model_uri=f"runs:/{run_id}/forecaster", tags={"as_of": str(day)})
    return registry


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The times that every version of a model was read; only one version counts as new."""
    monkeypatch.setattr(mlflow_registry, "LATELY", 1)
    read: list[str] = []
    versions = Registry.versions

    def reading(registry: Registry, model: str) -> object:
        read.append(model)
        return versions(registry, model)

    monkeypatch.setattr(Registry, "versions", reading)
    return read


def test_the_newest_version_tells_where_it_is_the_last(tracking: Tracking, reads: list[str]) -> None:
    registry = register(tracking, FRIDAY, MONDAY)
    assert trained_until(registry, MODEL, CALENDAR, MONDAY) == MONDAY
    assert trained_until(registry, MODEL, CALENDAR, FRIDAY) == MONDAY
    assert trained_until(registry, MODEL, CALENDAR, TUESDAY) == MONDAY
    assert reads == []


def test_a_version_that_knows_more_than_the_newest_is_found(tracking: Tracking, reads: list[str]) -> None:
    registry = register(tracking, MONDAY, date(2020, 1, 31), FRIDAY)
    assert trained_until(registry, MODEL, CALENDAR, TUESDAY) == MONDAY
    assert reads == []


def test_after_a_long_pause_every_version_is_read(
    tracking: Tracking, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previous, "MANY", 3)
    registry = register(tracking, FRIDAY, date(2020, 1, 2))
    assert trained_until(registry, MODEL, CALENDAR, TUESDAY) == FRIDAY
    assert reads == [MODEL]


def test_without_a_version_nothing_is_known(tracking: Tracking) -> None:
    assert trained_until(Registry(tracking), MODEL, CALENDAR, TUESDAY) == date.min
