"""Which version answers: loading goes on whatever changes meanwhile, and nobody is told what is no longer so."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from model.errors import ConfigurationError
from tasks.registry.version import RegisteredVersion
from tasks.serving.following import versions
from tasks.serving.following.loaded import LoadedVersion
from tasks.serving.following.versions import Versions
from tasks.settings import Settings


def version(model: str, number: int = 1, run_id: str = "r") -> RegisteredVersion:
    return RegisteredVersion(model=model, version=number, stage="Production", run_id=run_id, source="models:/m-1")


class Changing(dict[str, LoadedVersion]):
    """A mapping at whose reading something else happens."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self._happens = happens

    def get(self, *given: Any) -> Any:
        self._happens()
        return super().get(*given)


def test_that_production_changes_while_the_next_one_is_chosen_does_not_end_the_thread(settings: Settings) -> None:
    made = Versions(settings, lambda: None, lambda *_: None)
    made.want({"A": version("A"), "B": version("B")})
    loaded = LoadedVersion("A", 1, "r", cast("Any", None), ())
    made._answering = Changing(lambda: setattr(made, "_wanted", {}))
    made._answering["A"] = made._answering["B"] = loaded
    assert made._next() is None


def test_the_same_number_of_another_registry_is_another_version(settings: Settings) -> None:
    made = Versions(settings, lambda: None, lambda *_: None)
    made._answering["A"] = LoadedVersion("A", 1, "an old run", cast("Any", None), ())
    made.want({"A": version("A", run_id="a new run")})
    assert made._next() == version("A", run_id="a new run")


def test_a_version_that_fails_after_it_has_left_production_alarms_nobody(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    made = Versions(settings, lambda: None, lambda _, sentence: told.append(sentence))
    made.want({"A": version("A", 2)})

    def fails(*_: object) -> None:
        made.want({"A": version("A", 3)})
        raise ConfigurationError("A version 2", have="it does not load", need="x", remedy="y")

    monkeypatch.setattr(versions, "load", fails)
    made._load(version("A", 2))
    assert (told, made.troubles()) == ([], {})
    made._load(version("A", 3))
    assert told == ["Version 3 is in Production and no version answers: A version 2: it does not load."]
