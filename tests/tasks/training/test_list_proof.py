"""A list is one trial: another list, or another configuration on it, needs more evidence; none is left out for free."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from model.backtest.list_proof import ListProof
from model.config import PRESETS, ForecasterConfig
from model.evaluation.decision import Verdict
from model.evaluation.evidence.proof import Proof
from model.evaluation.gate import TOO_FEW
from tasks.backtest.further_proofs import further_model
from tasks.backtest.proofs import NOT_KEPT, NoProof
from tasks.ledger.trials import Trials
from tasks.settings import Settings, read_settings
from tasks.tracking.client import Tracking
from tasks.training.list_proof import JudgedList, Member, list_proof, log_list, unjudged
from tests.distributions import proof
from tests.market import TEST

AT = datetime(2020, 1, 31, 22, 0, tzinfo=UTC)
CONFIG = PRESETS["anchored"].model_copy(update={"horizon": (1, 5)})
OTHER = CONFIG.model_copy(update={"lookback": 30})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """With a ledger of the test's own."""
    return read_settings({"TOMORROW_HOME": str(tmp_path)})


def member(
    ticker: str, exchange: str = "XNYS", without: NoProof | None = None, newest: date = date(2020, 1, 31)
) -> Member:
    moves = np.random.default_rng(sum(ticker.encode())).normal(0, 1, 100)
    return Member(
        security=replace(TEST, ticker=ticker, exchange=exchange),
        oldest=date(2018, 1, 1),
        newest=newest,
        proofs={ahead: without or proof(moves, horizon=ahead) for ahead in (1, 5)},
    )


def number(settings: Settings, tickers: str, config: ForecasterConfig = CONFIG, ahead: int = 1) -> int:
    found = list_proof(settings, [member(ticker) for ticker in tickers], config, ahead, AT)
    assert isinstance(found, ListProof)
    return found.tried


def test_each_list_and_configuration_is_one_more_that_was_tried(settings: Settings) -> None:
    assert [number(settings, tickers) for tickers in ("ABC", "CBA", "AB", "ABC", "XY")] == [1, 1, 2, 1, 3]
    assert [number(settings, "ABC", OTHER), number(settings, "ABC")] == [4, 1]


def test_other_sessions_between_two_fits_are_another_try_of_the_same_list(settings: Settings) -> None:
    often = settings.model_copy(update={"proof": settings.proof.model_copy(update={"refit_every": 21})})
    assert [number(each, "ABC") for each in (settings, often, settings)] == [1, 2, 1]


def test_further_ahead_another_network_is_no_further_try_but_another_list_is(settings: Settings) -> None:
    tries = [("ABC", CONFIG), ("ABC", OTHER), ("AB", CONFIG)]
    assert [number(settings, tickers, config, ahead=5) for tickers, config in tries] == [1, 1, 2]
    assert number(settings, "XY") == 1, "each horizon counts by itself"


def test_one_with_too_few_prices_is_waited_for_and_is_a_part_of_the_list_all_the_same(settings: Settings) -> None:
    young = member("C", without=NoProof(TOO_FEW))
    found = list_proof(settings, [member("A"), member("B"), young], CONFIG, 1, AT)
    assert isinstance(found, ListProof)
    assert list(found.proofs) == ["A", "B"]
    assert number(settings, "ABC") == 1
    alone = list_proof(settings, [member("A"), young], CONFIG, 1, AT)
    assert alone == NoProof("1 of 2 securities have a proof; at least 2 are needed")


def test_none_whose_proof_is_gone_is_left_out_of_a_list(settings: Settings) -> None:
    found = list_proof(settings, [member("A"), member("B"), member("C", without=NOT_KEPT)], CONFIG, 1, AT)
    assert found == NoProof("C has no proof: it is not kept, or not all of it")
    assert number(settings, "AB") == 1, "what was not judged is no try"


def test_securities_of_exchanges_with_other_hours_are_not_judged_together(settings: Settings) -> None:
    found = list_proof(settings, [member("A"), member("B", "XETR")], CONFIG, 1, AT)
    assert found == NoProof("its securities trade at the hours of XETR, XNYS; it needs those of one exchange")
    assert isinstance(list_proof(settings, [member("A"), member("B", "XNAS")], CONFIG, 1, AT), ListProof)


@pytest.mark.parametrize("ahead", [1, 5])
def test_a_list_that_leaves_out_what_was_tried_before_it_was_named_is_not_judged(
    settings: Settings, ahead: int
) -> None:
    """Of twenty securities without skill the best five, named once they were seen, were proven in half of all cases."""
    trials = Trials(settings.ledger_uri)

    def tried(ticker: str, horizon: int) -> None:
        model = settings.model_name(ticker, "Open")
        name = model if horizon == 1 else further_model(model, horizon)
        trials.record(name, "any configuration", "any", date(2018, 1, 1), date(2019, 1, 2), AT)

    for ticker in ("A", "B", "LOSER"):
        tried(ticker, ahead)
    tried("ELSEWHERE", 6 - ahead)
    best = [member("A"), member("B")]
    found = list_proof(settings, best, CONFIG, ahead, AT)
    assert found == NoProof("it leaves out LOSER, tried before it was named; name every security that was tried")
    assert isinstance(list_proof(settings, [*best, member("LOSER"), member("UNSEEN")], CONFIG, ahead, AT), ListProof)
    tried("LATER", ahead)
    whole = list_proof(settings, [*best, member("LOSER"), member("UNSEEN")], CONFIG, ahead, AT)
    assert isinstance(whole, ListProof), "a list that was named before is judged as ever"
    assert whole.number == 1


def test_prices_of_one_that_end_earlier_are_not_judged(settings: Settings) -> None:
    """Who cuts the prices of each security where it did best would have a proof of nothing."""
    cut = member("B", newest=date(2020, 1, 30))
    found = list_proof(settings, [member("A"), cut], CONFIG, 1, AT)
    told = "its prices end on different days: B on 2020-01-30, A on 2020-01-31; it needs prices up to the same session"
    assert found == NoProof(told)


def test_a_configuration_that_was_tried_third_on_a_security_is_the_third_on_its_list(settings: Settings) -> None:
    third = member("B")
    assert isinstance(third.proofs[1], Proof)
    third = replace(third, proofs={1: replace(third.proofs[1], tried=3)})
    found = list_proof(settings, [member("A"), third], CONFIG, 1, AT)
    assert isinstance(found, ListProof)
    assert found.tried == 3


@pytest.mark.slow
def test_the_run_of_a_network_shows_the_list_that_was_judged_last_and_none_of_an_earlier_day(
    tracking: Tracking,
) -> None:
    client = tracking.client
    run_id = client.create_run(tracking.experiment_id()).info.run_id

    def log(tickers: str, minutes: int, sessions: int = 100) -> tuple[str, float]:
        proofs = {ticker: proof(np.ones(sessions)) for ticker in tickers}
        judged = JudgedList(
            horizon=1, listed=3, proof=ListProof(proofs=proofs), verdict=Verdict.UNDECIDED, claim=f"known of {tickers}"
        )
        log_list(client, run_id, (judged, *unjudged(3, (5,), "too few")), AT + timedelta(minutes=minutes))
        data = client.get_run(run_id).data
        assert (data.tags["list.verdict"], data.tags["list.claim.5"]) == ("undecided", "not judged: too few")
        return data.tags["list"], data.metrics["list_proof_securities"]

    assert log("ABC", 0) == ("A, B, C", 3)
    assert log("AB", 1) == ("A, B", 2)
    assert log("ABC", 2, sessions=99) == ("A, B", 2)
    assert log("ABC", 3) == ("A, B, C", 3)
