"""The way back and the record of it: promoted, rolled back, changed by hand, and told."""

import warnings
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from flows.clock import clock_at
from flows.history import end_of_day
from tests.flows.conftest import SMALL, Run

if TYPE_CHECKING:
    from mlflow import MlflowClient

MARKET = ("--source", "sample", "--as-of", "2013-06-28")
MONDAY = datetime(2020, 6, 15, 22, 0, tzinfo=UTC)


def test_a_day_ends_at_midnight_in_new_york() -> None:
    assert end_of_day(date(2020, 6, 15)) == datetime(2020, 6, 16, 3, 59, 59, 999999, tzinfo=UTC)
    assert end_of_day(date(2020, 1, 15)) == datetime(2020, 1, 16, 4, 59, 59, 999999, tzinfo=UTC)


def test_the_way_back_is_followed_at_once_and_every_step_is_told(run: Run, client: "MlflowClient") -> None:
    nothing = run("history", "SAMPLE-Open")
    assert (nothing.code, nothing.out) == (2, "")
    for number in (1, 2):
        with clock_at(MONDAY + timedelta(days=number - 1)):
            run("train", *MARKET, *SMALL, "--seed", str(number))
            run("promote", "SAMPLE-Open", str(number), "--force", "--reason", f"try {number}")
    assert run("rollback", "SAMPLE-Open").code == 2
    with clock_at(MONDAY + timedelta(days=2)):
        back = run("rollback", "SAMPLE-Open", "--reason", "it drifts", "--json")
    assert (back.code, back.json["version"], back.json["archived"]) == (0, 1, [2])
    assert run("predict", *MARKET, "--json").json["version"] == 1
    refused = run("rollback", "SAMPLE-Open", "--reason", "further")
    assert refused.code == 2
    assert "no version that was in Production before it" in refused.err

    def production(on: str) -> list[tuple[int, str, str]]:
        stages = run("history", "SAMPLE-Open", "--on", on, "--json").json["stages"]
        return [
            (line["version"], line["decision"], line["since"][:10]) for line in stages if line["stage"] == "Production"
        ]

    assert production("2020-06-14") == []
    assert production("2020-06-15") == [(1, "forced", "2020-06-15")]
    assert production("2020-06-16") == [(2, "forced", "2020-06-16")]
    assert production("2020-06-17") == [(1, "rolled back", "2020-06-17")]
    told = run("history", "SAMPLE-Open", "--on", "2020-06-15").out
    assert "Production version 1 (no skill), since 2020-06-15 18:00, forced by" in told
    assert "Against the gate, because: try 1" in told
    assert "loses to" in told

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        client.transition_model_version_stage("SAMPLE-Open", "2", "Production")
    followed = run("predict", *MARKET, "--json").json
    assert followed["version"] == 2
    assert "by hand in MLflow" in followed["notes"][0]
    whole = run("history", "SAMPLE-Open").out
    assert "version 2 (no skill): Archived to Production, by hand" in whole
    assert "it drifts" in whole
