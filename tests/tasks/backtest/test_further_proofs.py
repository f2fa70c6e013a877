"""The proofs of further horizons: begun once, counted by themselves, and kept up with every new session."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from model.config import PRESETS, ForecasterConfig
from model.evaluation.check import read_check
from model.evaluation.decision import Decision, DecisionWord, Verdict
from model.evaluation.evidence.proof import Proof, ProofConfig
from model.evaluation.gate import Gate
from model.market.prices import Prices
from tasks.backtest import further_proofs
from tasks.backtest.further_proofs import prove_further
from tasks.backtest.proofs import NoProof
from tasks.ledger.trials import Trial, Trials
from tasks.registry.gate import further_check, with_further
from tasks.settings import Settings, read_settings
from tests.market import make_prices

PRICES = make_prices(400)
AT = datetime(2020, 1, 31, 22, 0, tzinfo=UTC)
BOTH = PRESETS["anchored"].model_copy(update={"column": "Close", "horizon": (1, 5, 21)})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Proofs of forty sessions, in a ledger of the test's own."""
    wanted = ProofConfig(sessions=40, history=300, refit_every=15)
    return read_settings({"TOMORROW_HOME": str(tmp_path)}).model_copy(update={"proof": wanted})


def made(settings: Settings, prices: Prices = PRICES, config: ForecasterConfig = BOTH) -> dict[int, Proof]:
    found = prove_further(settings, prices, config, AT)
    return {ahead: proof for ahead, proof in found.items() if isinstance(proof, Proof)}


def test_each_horizon_beyond_the_next_session_has_a_proof_that_is_the_first_tried_at_it(settings: Settings) -> None:
    proofs = made(settings)
    assert list(proofs) == [5, 21]
    assert [(proof.horizon, proof.sessions, proof.tried) for proof in proofs.values()] == [(5, 40, 1), (21, 40, 1)]
    assert made(settings, config=BOTH.model_copy(update={"horizon": (1,)})) == {}


def test_a_proof_keeps_its_first_session_and_grows_with_those_that_come(settings: Settings) -> None:
    before = made(settings, PRICES.rows(0, 380))
    after = made(settings)
    for ahead, proof in after.items():
        assert (proof.first, proof.sessions) == (before[ahead].first, 60)
        np.testing.assert_array_equal(proof.judged.quantiles[:40], before[ahead].judged.quantiles)
    # Another preset has the same width ahead: it is no further try.
    other = made(settings, config=BOTH.model_copy(update={"shrinkage": 0.25, "lookback": 40}))
    assert [(proof.first, proof.tried) for proof in other.values()] == [(proof.first, 1) for proof in after.values()]


def test_of_two_that_try_it_first_at_once_both_have_the_proof_that_was_recorded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    week = BOTH.model_copy(update={"horizon": (1, 5)})
    before = made(settings, PRICES.rows(0, 380), week)
    find, asked = Trials.of, list[str]()

    def before_the_other_has_written(trials: Trials, model: str, configuration: str) -> Trial | None:
        asked.append(model)
        return None if len(asked) == 1 else find(trials, model, configuration)

    monkeypatch.setattr(Trials, "of", before_the_other_has_written)
    assert made(settings, config=week)[5].first == before[5].first


def test_prices_that_begin_later_or_are_few_make_no_other_proof(settings: Settings) -> None:
    made(settings)
    later = prove_further(settings, PRICES.rows(10, 400), BOTH, AT)
    assert all(
        isinstance(found, NoProof) and "its proof began with prices from" in found.why for found in later.values()
    )
    few = prove_further(settings, make_prices(100), BOTH.model_copy(update={"column": "Open"}), AT)
    assert all(isinstance(found, NoProof) for found in few.values())


def test_another_way_to_fit_the_width_is_another_try_at_every_horizon_by_itself(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(settings)
    monkeypatch.setattr(further_proofs, "what_is_proven", lambda column, ahead: {"column": column, "new": ahead})
    assert [proof.tried for proof in made(settings).values()] == [2, 2]
    assert made(settings)[5].needed_odds(Gate().needed) == 40
    assert Trials(settings.ledger_uri).of(settings.model_name("TEST", "Close"), "any") is None


def test_other_sessions_between_fits_are_another_try_and_those_of_before_stay_the_first(settings: Settings) -> None:
    before = made(settings)
    other = settings.model_copy(update={"proof": settings.proof.model_copy(update={"refit_every": 20})})
    assert [proof.tried for proof in made(other).values()] == [2, 2]
    assert [(proof.tried, proof.first) for proof in made(settings).values()] == [
        (1, proof.first) for proof in before.values()
    ]


def test_a_decision_tells_every_horizon_and_is_not_changed_by_it(settings: Settings) -> None:
    needed = Gate(min_sessions=30, recent_sessions=30).needed
    proofs: dict[int, Proof | NoProof] = {**made(settings), 20: NoProof("the prices are too few")}
    decision = Decision(passed=True, word=DecisionWord.PROMOTED, verdict=Verdict.PROVEN, evidence=46.0, checks=())
    told = with_further(decision, proofs, needed)
    assert (told.passed, told.word, told.verdict, told.failed) == (True, DecisionWord.PROMOTED, Verdict.PROVEN, ())
    assert {ahead: known.verdict for ahead, known in told.further.items()} == {
        ahead: proof.verdict(needed) for ahead, proof in proofs.items() if isinstance(proof, Proof)
    }
    assert [each.horizon for each in told.horizons] == [1, 5, 21]
    assert [check.name for check in told.checks] == [f"{ahead} sessions ahead" for ahead in (5, 21, 20)]
    assert told.checks[2].measured == "not judged: the prices are too few"
    for check in told.checks:
        assert read_check(str(check)) == check
    assert further_check(5, proofs[5], needed).measured.startswith(("undecided", "not distinguishable", "no skill"))
