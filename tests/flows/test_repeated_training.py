"""The same training again: nothing is trained, and what a kill left undone is done."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tasks.registry.mlflow_registry import MlflowRegistry
from tasks.registry.registry import Registry
from tasks.settings import read_settings
from tasks.tracking.client import Tracking
from tasks.training.previous import STATE, close_killed, run_tags
from tests.flows.conftest import LEARNS, SMALL, Run
from tests.flows.killed import Killed, killed_at

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow import MlflowClient

MARKET = ("--source", "sample", "--as-of", "2013-06-28", *SMALL)


def state(client: "MlflowClient") -> object:
    """Every version with its stage and tags, the aliases, and how every run ended."""
    versions = sorted(client.search_model_versions(), key=lambda found: int(found.version))
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    aliases = [dict(model.aliases) for model in client.search_registered_models()]
    return (
        [(found.version, found.current_stage, found.run_id, dict(found.tags)) for found in versions],
        aliases,
        sorted((run.info.run_id, run.info.status) for run in runs),
    )


def test_the_same_training_again_trains_nothing_and_says_which_it_was(
    run: Run, client: "MlflowClient", trained: Any
) -> None:
    first = trained
    before = state(client)
    assert "Nothing was trained" in run("train", *MARKET).out
    second = run("train", *MARKET, "--json").json
    assert state(client) == before
    assert (first["repeated"], second["repeated"]) == (False, True)
    changing = ("repeated", "seconds")
    assert {key: first[key] for key in first if key not in changing} == {
        key: second[key] for key in second if key not in changing
    }

    forced = run("train", *MARKET, "--again", "--json").json
    assert (forced["version"], forced["repeated"], forced["key"]) == (2, False, first["key"])
    other = run("train", *MARKET, "--seed", "1", "--json").json
    assert (other["version"], other["repeated"]) == (3, False)
    assert other["key"] != first["key"]


def test_what_one_run_of_several_has_trained_it_does_not_train_again(
    home: "Path",  # noqa: ARG001 - the flows run on it
    prefect_server: None,  # noqa: ARG001 - and against it
) -> None:
    """Where a worker is killed at the end of a training, another one begins the same security again."""
    from prefect import flow

    from flows.train import train
    from model.config import ForecasterConfig, PriceRequest

    request = PriceRequest.model_validate({"source": "sample", "ticker": "SAMPLE", "as_of": "2013-06-28"})
    small = {"lookback": 5, "network": {"units": [4]}, "training": {"epochs": 2}}
    forecaster = ForecasterConfig.model_validate(small)

    @flow
    def several() -> list[int]:
        return [train(request=request, forecaster=forecaster, again=True).version.version for _ in range(2)]

    assert several() == [1, 1]
    assert several() == [2, 2]


@pytest.mark.parametrize(
    ("step", "decided"),
    [("prove_task", None), ("ask_gate_task", None), ("decide_task", None)],
    ids=["before its proof was made", "before the gate was asked", "before its answer was noted"],
)
def test_a_training_that_was_killed_at_the_gate_is_continued(
    run: Run, client: "MlflowClient", monkeypatch: pytest.MonkeyPatch, step: str, decided: str | None
) -> None:
    from flows import promote

    with killed_at(monkeypatch, promote, step):
        run("train", *MARKET)
    (version,) = client.search_model_versions()
    assert version.tags.get("decision") == decided
    done = run("train", *MARKET, "--again", "--json").json
    assert (done["version"], done["repeated"], done["decision"]["promoted"]) == (1, True, False)
    (version,) = client.search_model_versions()
    assert (version.current_stage, version.tags["decision"]) == ("Staging", "refused")


@pytest.mark.usefixtures("small_proof")
def test_a_promotion_that_was_killed_half_way_is_completed(
    run: Run, client: "MlflowClient", alternating: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    point = MlflowRegistry.point

    def point_or_kill(store: MlflowRegistry, model: str, alias: str, number: int | None) -> None:
        if alias == "production":
            raise Killed
        point(store, model, alias, number)

    with monkeypatch.context() as patched:
        patched.setattr(MlflowRegistry, "point", point_or_kill)
        with pytest.raises(Killed):
            run("train", *alternating, *LEARNS)
    done = run("train", *alternating, *LEARNS, "--json").json
    assert (done["version"], done["repeated"], done["stage"]) == (1, True, "Production")
    assert int(client.get_model_version_by_alias("ZIG-Open", "production").version) == 1


def test_runs_of_killed_trainings_are_closed_and_those_of_others_left_alone(
    home: "Path", client: "MlflowClient"
) -> None:
    settings = read_settings({"TOMORROW_HOME": str(home)})
    tracking = Tracking(client, settings)
    registry, experiment = Registry(tracking), tracking.experiment_id()
    ours = run_tags(settings, "SAMPLE-Open", "a" * 64)

    def running(tags: dict[str, str]) -> str:
        return str(client.create_run(experiment, tags=tags).info.run_id)

    unfinished, registered = running(ours), running(ours)
    registry.register("SAMPLE-Open", run_id=registered, model_uri=f"runs:/{registered}/model")
    others = [running({**ours, "model": "META-Open"}), running({**ours, STATE: "of another machine"}), running({})]
    close_killed(tracking, registry, "SAMPLE-Open", datetime.now(UTC))
    assert client.get_run(unfinished).info.status == "KILLED"
    assert client.get_run(registered).info.status == "FINISHED"
    assert {client.get_run(run_id).info.status for run_id in others} == {"RUNNING"}
