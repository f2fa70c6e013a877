"""`tomorrow promote`: through the gate, past it on record, and refused without a trace."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flows.promote import consider
from tasks.prefect_tasks import start_timing
from tasks.registry.registry import Registry
from tasks.settings import read_settings
from tasks.tracking.client import Tracking
from tests.flows.conftest import LEARNS, SMALL, Run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from prefect.client.schemas.objects import State

LOSES = ("--source", "sample", "--as-of", "2013-06-28", *SMALL)


def newest_state(flow: str) -> "State[Any]":
    """The state that the newest run of a flow is in."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName
    from prefect.client.schemas.sorting import FlowRunSort

    with get_client(sync_client=True) as client:
        of_flow = FlowFilter(name=FlowFilterName(any_=[flow]))
        (found,) = client.read_flow_runs(flow_filter=of_flow, sort=FlowRunSort.START_TIME_DESC, limit=1)
    assert found.state is not None
    return found.state


def everything(client: "MlflowClient") -> list[object]:
    versions = sorted(client.search_model_versions(), key=lambda found: int(found.version))
    models = [(model.name, dict(model.aliases)) for model in client.search_registered_models()]
    return [models, *((found.version, found.current_stage, dict(found.tags)) for found in versions)]


@pytest.mark.usefixtures("small_proof")
def test_a_version_that_loses_to_the_naive_forecast_is_refused_and_nothing_changes(
    run: Run, client: "MlflowClient"
) -> None:
    trained = run("train", *LOSES, "--json").json
    assert (trained["stage"], trained["decision"]["verdict"]) == ("Staging", "no skill")
    assert str(newest_state("train").message).startswith("SAMPLE-Open 1 refused: FAIL evidence of skill: 1.0 to 1 (40 ")
    before = everything(client)
    refused = run("promote", "SAMPLE-Open", "1", "--to", "production")
    assert refused.code == 4
    assert refused.out == ""
    assert "SAMPLE-Open version 1: refused by the gate\n    result  check  " in refused.err
    assert re.search(r"\n    FAIL    evidence of skill +1\.0 to 1 \(40 sessions, \S+ to \S+\) +20 to 1\n", refused.err)
    assert "needed: a version whose configuration is proven" in refused.err
    assert "Traceback" not in refused.err
    state = newest_state("promote")
    assert (state.is_completed(), state.name) == (True, "Refused")
    assert str(state.message).startswith("SAMPLE-Open 1 refused: FAIL evidence of skill: 1.0 to 1 (40 ")
    error = run("promote", "SAMPLE-Open", "1", "--json").json["error"]
    assert error["kind"] == "PromotionRefused"
    assert error["reasons"][0].startswith("FAIL evidence of skill: 1.0 to 1 (40 sessions, ")
    assert [error["checks"][0][key] for key in ("result", "name")] == ["FAIL", "evidence of skill"]
    assert everything(client) == before


def test_a_version_that_passes_the_gate_is_promoted_without_force(
    run: Run, client: "MlflowClient", watched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (watched["stage"], watched["decision"]["promoted"]) == ("Staging", False)
    with monkeypatch.context() as watching:
        watching.setenv("TOMORROW_GATE__MODE", "dry_run")
        stays = run("promote", "ZIG-Open", "1", "--json")
        assert (stays.code, stays.json["stage"], stays.json["changed"]) == (0, "Staging", False)
    promoted = run("promote", "ZIG-Open", "1", "--json")
    assert (promoted.code, promoted.json["stage"], promoted.json["changed"]) == (0, "Production", True)
    assert promoted.json["decision"]["verdict"] == "proven"
    version = client.get_model_version_by_alias("ZIG-Open", "production")
    assert (int(version.version), version.current_stage) == (1, "Production")
    assert (version.tags["decision"], version.tags["decision.forced"], version.tags["verdict"]) == (
        "promoted",
        "",
        "proven",
    )


@pytest.mark.usefixtures("unskilled")
def test_a_version_that_was_forced_there_gives_way_to_a_proven_one(
    run: Run, client: "MlflowClient", alternating: tuple[str, ...]
) -> None:
    assert run("promote", "ZIG-Open", "1", "--force", "--reason", "to have one").code == 0
    # The gate asks the ledger: what somebody writes on it in MLflow does not keep it there.
    for tag, text in (("verdict", "proven"), ("as_of", "2999-01-01")):
        client.set_model_version_tag("ZIG-Open", "1", tag, text)
    proven = run("train", *alternating, *LEARNS, "--json").json
    assert (proven["stage"], proven["decision"]["verdict"], proven["proof"]["tried"]) == ("Production", "proven", 2)
    (beside,) = [check for check in proven["decision"]["checks"] if check["name"] == "version 1 in Production"]
    assert beside["result"] == "PASS"
    assert beside["measured"].endswith(" times its CRPS (40 sessions), not proven")
    assert [client.get_model_version("ZIG-Open", number).current_stage for number in "12"] == [
        "Archived",
        "Production",
    ]


@pytest.mark.usefixtures("trained")
def test_force_wants_a_reason_and_both_stay_on_record(run: Run, client: "MlflowClient") -> None:
    assert run("promote", "SAMPLE-Open", "1", "--force").code == 2
    forced = run("promote", "SAMPLE-Open", "1", "--force", "--reason", "the board wants it", "--json")
    assert (forced.code, forced.json["stage"], forced.json["changed"]) == (0, "Production", True)
    version = client.get_model_version_by_alias("SAMPLE-Open", "production")
    assert (int(version.version), version.current_stage) == (1, "Production")
    assert version.tags["decision"] == "forced"
    assert version.tags["decision.forced"] == "the board wants it"
    assert version.tags["decision.reasons"].startswith("FAIL evidence of skill: none: the prices are too few")
    assert (version.tags["verdict"], version.tags["evidence"]) == ("undecided", "1")


@pytest.mark.usefixtures("in_production_with_a_second")
def test_a_promotion_archives_the_version_before(run: Run, client: "MlflowClient") -> None:
    done = run("promote", "SAMPLE-Open", "2", "--force", "--reason", "a test", "--json")
    assert done.json["archived"] == [1]
    assert [client.get_model_version("SAMPLE-Open", number).current_stage for number in "12"] == [
        "Archived",
        "Production",
    ]
    again = run("promote", "SAMPLE-Open", "2", "--json")
    assert (again.code, again.json["changed"]) == (0, False)


@pytest.mark.usefixtures("in_production")
def test_a_version_that_somebody_promoted_before_the_gate_was_asked_stays_in_production(
    client: "MlflowClient", home: Path
) -> None:
    before = everything(client)
    tracking = Tracking(client, read_settings({"TOMORROW_HOME": str(home)}))
    registered = replace(Registry(tracking).version("SAMPLE-Open", 1), stage="None")
    start_timing()
    version, decision, proof = consider(tracking, registered)
    assert (version.stage, decision.promoted, proof) == ("Production", True, None)
    assert everything(client) == before


@pytest.mark.usefixtures("trained")
def test_other_stages_need_no_gate(run: Run) -> None:
    for stage in ("archived", "NONE", "Staging"):
        done = run("promote", "SAMPLE-Open", "1", "--to", stage, "--json")
        assert (done.code, done.json["stage"].casefold()) == (0, stage.casefold())


def test_in_manual_mode_a_version_waits_for_a_person(
    run: Run, home: Path, client: "MlflowClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "mlflow.yaml").write_text("gate: {mode: manual}\n")
    monkeypatch.setenv("TOMORROW_CONFIG", str(home / "mlflow.yaml"))
    trained = run("train", *LOSES, "--json").json
    assert (trained["stage"], trained["decision"]["promoted"]) == ("Staging", False)
    tags = client.get_model_version("SAMPLE-Open", "1").tags
    assert (tags["decision"], tags["verdict"]) == ("waiting", "undecided")
    # Against the gate's advice, or to say no, a reason is wanted.
    assert run("approve", "SAMPLE-Open", "1").code == 2
    assert run("reject", "SAMPLE-Open", "1").code == 2
    approved = run("approve", "SAMPLE-Open", "1", "--reason", "to see it run", "--json")
    assert (approved.code, approved.json["stage"]) == (0, "Production")
    tags = client.get_model_version("SAMPLE-Open", "1").tags
    assert tags["decision"] == "approved"
    assert "against the gate: to see it run" in tags["decision.reasons"]

    run("train", *LOSES, "--seed", "1")
    rejected = run("reject", "SAMPLE-Open", "2", "--reason", "one is enough", "--json")
    assert (rejected.code, rejected.json["stage"], rejected.json["changed"]) == (0, "Staging", False)
    assert client.get_model_version("SAMPLE-Open", "2").tags["decision"] == "rejected"
    assert "does not wait for approval" in run("approve", "SAMPLE-Open", "2", "--reason", "after all").err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("META-Opne", "1"), "META-Opne"),
        (("SAMPLE-Open", "9"), "no such version"),
        (("SAMPLE-Open", "1", "--to", "prod"), "None, Staging, Production, Archived"),
        (("SAMPLE-Open", "one"), "'one' is not a whole number"),
    ],
)
@pytest.mark.usefixtures("trained")
def test_what_does_not_exist_is_refused(run: Run, arguments: tuple[str, ...], said: str) -> None:
    refused = run("promote", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err
