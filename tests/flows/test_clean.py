"""`tomorrow clean` from the command line."""

from pathlib import Path

import pytest

from tests.flows.conftest import MARKET, SMALL, Run


@pytest.mark.usefixtures("small_proof")
def test_what_is_listed_is_what_is_taken_and_what_is_in_use_stays(run: Run, home: Path) -> None:
    assert run("train", *MARKET, *SMALL).code == 0
    assert run("promote", "SAMPLE-Open", "1", "--force", "--reason", "a test").code == 0
    assert run("predict", *MARKET).code == 0
    (home / "logs").mkdir()
    log = home / "logs" / "worker.log.1"
    log.write_text("said\n")

    listed = run("clean", "--older-than", "0", "--dry-run", "--json").json
    assert listed["dry_run"]
    (report,) = (home / "reports").iterdir()
    assert [(thing["kind"], thing["name"]) for thing in listed["refuse"]] == [
        ("log", str(log)),
        ("report", str(report)),
    ]
    assert log.exists()

    done = run("clean", "--older-than", "0")
    assert (done.code, f"removed: {log}" in done.out) == (0, True)
    assert not log.exists()
    assert not report.exists()
    assert "Nothing is both old and unused" in run("clean", "--older-than", "0").out
    assert run("predict", *MARKET).code == 0


def test_an_age_below_zero_is_refused(run: Run) -> None:
    refused = run("clean", "--older-than", "-1")
    assert refused.code == 2
    assert "--older-than" in refused.err
