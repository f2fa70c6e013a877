"""`tomorrow promote`: through the gate, past it on record, and refused without a trace."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flows.promote import consider
from tasks.prefect_tasks import start_timing
from tasks.registry.registry import Registry
from tasks.settings import read_settings
from tasks.tracking.client import Tracking
from tests.flows.conftest import SMALL, Run

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOSES = ("--source", "sample", "--as-of", "2013-06-28", *SMALL)


def everything(client: "MlflowClient") -> list[object]:
    versions = sorted(client.search_model_versions(), key=lambda found: int(found.version))
    models = [(model.name, dict(model.aliases)) for model in client.search_registered_models()]
    return [models, *((found.version, found.current_stage, dict(found.tags)) for found in versions)]


def test_a_version_that_loses_to_the_naive_forecast_is_refused_and_nothing_changes(
    run: Run, client: "MlflowClient"
) -> None:
    run("train", *LOSES)
    before = everything(client)
    refused = run("promote", "SAMPLE-Open", "1", "--to", "production")
    assert refused.code == 4
    assert refused.out == ""
    assert "loses to the newest Close" in refused.err
    assert "Traceback" not in refused.err
    error = run("promote", "SAMPLE-Open", "1", "--json").json["error"]
    assert error["kind"] == "PromotionRefused"
    assert everything(client) == before


def test_sessions_of_backtests_count_beside_the_test_period_where_both_versions_have_them(run: Run) -> None:
    options = ("--source", "sample", "--as-of", "2013-12-31", *SMALL)
    run("backtest", *options, "--from", "2013-10", "--to", "2013-11", "--refit", "never", "--seeds", "2")
    first = run("train", *options, "--json").json
    judged = "Judged on 64 sessions from 2013-10-01 to 2013-12-31, 43 of them forecast in backtests"
    assert first["decision"]["reasons"][0].startswith(judged)
    run("promote", "SAMPLE-Open", "1", "--to", "production", "--force", "--reason", "somebody has to begin")
    second = run("train", *options, "--seed", "1", "--json").json["decision"]["reasons"]
    assert second[0].startswith(judged)
    assert "the version in Production" in second[2]
    alone = run("train", *options, "--seed", "2", "--json").json["decision"]["reasons"]
    assert alone[0].startswith("Judged on 21 sessions from 2013-12-02 to 2013-12-31, needed")


def test_force_wants_a_reason_and_both_stay_on_record(run: Run, client: "MlflowClient") -> None:
    run("train", *LOSES)
    assert run("promote", "SAMPLE-Open", "1", "--force").code == 2
    forced = run("promote", "SAMPLE-Open", "1", "--force", "--reason", "the board wants it", "--json")
    assert (forced.code, forced.json["stage"], forced.json["changed"]) == (0, "Production", True)
    version = client.get_model_version_by_alias("SAMPLE-Open", "production")
    assert (int(version.version), version.current_stage) == (1, "Production")
    assert version.tags["decision"] == "forced"
    assert version.tags["decision.forced"] == "the board wants it"
    assert "loses to the newest Close" in version.tags["decision.reasons"]


def test_a_promotion_archives_the_version_before(run: Run, client: "MlflowClient") -> None:
    for number in ("1", "2"):
        run("train", *LOSES, "--seed", number)
        done = run("promote", "SAMPLE-Open", number, "--force", "--reason", "a test", "--json")
    assert done.json["archived"] == [1]
    assert [client.get_model_version("SAMPLE-Open", number).current_stage for number in "12"] == [
        "Archived",
        "Production",
    ]
    again = run("promote", "SAMPLE-Open", "2", "--json")
    assert (again.code, again.json["changed"]) == (0, False)


def test_a_version_that_somebody_promoted_before_the_gate_was_asked_stays_in_production(
    run: Run, client: "MlflowClient", home: Path
) -> None:
    run("train", *LOSES)
    run("promote", "SAMPLE-Open", "1", "--to", "production", "--force", "--reason", "the only one")
    before = everything(client)
    tracking = Tracking(client, read_settings({"TOMORROW_HOME": str(home)}))
    registered = replace(Registry(tracking).version("SAMPLE-Open", 1), stage="None")
    start_timing()
    version, decision = consider(tracking, registered)
    assert (version.stage, decision.promoted) == ("Production", True)
    assert everything(client) == before


def test_other_stages_need_no_gate(run: Run) -> None:
    run("train", *LOSES)
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
    assert (tags["decision"], tags["skill"]) == ("waiting", "none")
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
    assert "waits for nobody" in run("approve", "SAMPLE-Open", "2", "--reason", "after all").err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("META-Opne", "1"), "META-Opne"),
        (("SAMPLE-Open", "9"), "no such version"),
        (("SAMPLE-Open", "1", "--to", "prod"), "None, Staging, Production, Archived"),
        (("SAMPLE-Open", "one"), "'one' is not a whole number"),
    ],
)
def test_what_does_not_exist_is_refused(run: Run, arguments: tuple[str, ...], said: str) -> None:
    run("train", *LOSES)
    refused = run("promote", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err
