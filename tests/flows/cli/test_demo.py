"""`make run`, with a small network on a few sessions: the gate decides, and nothing is forced."""

from datetime import date

import pytest

from flows.cli import demo
from model.config import ForecasterConfig, NetworkConfig, TrainingConfig
from tasks.ledger.forecasts import Ledger
from tasks.settings import read_settings
from tests.flows.conftest import Run

SMALL = ForecasterConfig(lookback=5, network=NetworkConfig(units=(4,)), training=TrainingConfig(epochs=1))


def test_where_the_gate_refuses_it_says_why_with_exit_4_and_goes_on_once_something_is_in_production(
    run: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "preset", lambda _name: SMALL)
    monkeypatch.setattr(demo, "AS_OF", date(2013, 6, 28))
    assert demo.main() == 4
    refused = capfd.readouterr().out
    assert "$ tomorrow train --source sample --as-of 2013-06-28 --preset anchored" in refused
    reasons = [" ".join(line.split()) for line in refused.splitlines() if line.startswith("    FAIL ")]
    end = refused[refused.index("The demonstration ends here") :]
    assert "nothing is in Production" in end
    assert [" ".join(line.split()) for line in end.splitlines() if line.startswith("  FAIL ")] == reasons != []
    assert "tomorrow predict" not in end
    ledger = Ledger(read_settings().ledger_uri)
    assert ledger.rows("SAMPLE-Open") == ()

    # Once something is in Production, whoever put it there, the same training goes on to a forecast.
    assert run("promote", "SAMPLE-Open", "1", "--force", "--reason", "a test").code == 0
    assert demo.main() == 0
    done = capfd.readouterr().out
    assert "$ tomorrow predict --source sample --as-of 2013-06-28\nSAMPLE Open on Monday, 2013-07-01" in done
    assert done.index("will not be scored") < done.index(demo.WHY_LATE) < done.index("Everything is stored in")
    (row,) = ledger.rows("SAMPLE-Open")
    assert (row.version, row.session) == (1, date(2013, 7, 1))
