"""With which study a tuning goes on."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

from model.config import PRESETS
from model.evaluation.evidence.proof import ProofConfig
from model.evaluation.split import Split
from model.market.prices import Prices
from model.tuning.sessions import tuning_split
from tasks.backtest.tuning.open import open_study
from tasks.settings import Settings
from tests.market import make_prices

BASE = PRESETS["anchored"]
ROWS = 700
PRICES = make_prices(ROWS)


def proof(sessions: int, history: int = 200) -> ProofConfig:
    """A proof of so many sessions."""
    return ProofConfig(sessions=sessions, history=history)


def splits(prices: Prices, wanted: ProofConfig) -> Callable[[date | None], Split]:
    """What a study of these prices may see."""
    return lambda first: tuning_split(prices, BASE, wanted, first)


def opened(home: Path, prices: Prices, wanted: ProofConfig, *, again: bool = False) -> tuple[str, date]:
    """The name of the study that is opened, and the first session that it may not see."""
    study, split = open_study(Settings(home=home), "key", prices, BASE, splits(prices, wanted), again=again)
    assert study.first == prices.day(len(split.prices))
    return study.name, study.first


def test_it_is_gone_on_with_until_the_prices_change_or_another_is_asked_for(tmp_path: Path) -> None:
    first = opened(tmp_path, PRICES, proof(100))
    assert first == ("key-1", PRICES.day(ROWS - 100))
    assert opened(tmp_path, PRICES, proof(100)) == first
    assert opened(tmp_path, PRICES, proof(90)) == first
    assert opened(tmp_path, PRICES, proof(100), again=True)[0] == "key-2"
    assert opened(tmp_path, make_prices(ROWS, seed=1), proof(100))[0] == "key-3"


def test_a_study_that_has_seen_sessions_of_the_proof_that_would_begin_now_is_not_gone_on_with(tmp_path: Path) -> None:
    opened(tmp_path, PRICES, proof(100))
    assert opened(tmp_path, PRICES, proof(150)) == ("key-2", PRICES.day(ROWS - 150))


def test_where_the_settings_now_ask_for_more_history_another_begins(tmp_path: Path) -> None:
    opened(tmp_path, PRICES, proof(300))
    assert opened(tmp_path, PRICES, proof(300, history=500)) == ("key-2", PRICES.day(500))
