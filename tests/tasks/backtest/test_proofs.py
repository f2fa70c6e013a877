"""A proof is kept: what is there is read again, and only what is missing, damaged or of other prices is made."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pytest

from model.backtest.proof import Fitted, Period, fit_period
from model.config import PRESETS, ForecasterConfig, NetworkConfig, TrainingConfig
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.proof import Proof, ProofConfig
from model.evaluation.gate import TOO_FEW, Gate
from model.market.prices import Prices
from tasks.backtest import proofs
from tasks.backtest.cache_key import trial_key, with_refits
from tasks.backtest.evaluation_file import packed
from tasks.backtest.proofs import NOT_KEPT, KeptProof, NoProof, prove
from tasks.ledger.trials import Trials
from tasks.tracking.client import Tracking
from tasks.tracking.provenance import digest
from tests.market import make_prices

pytestmark = pytest.mark.slow

PRICES = make_prices(160)
AT = datetime(2020, 1, 31, 22, 0, tzinfo=UTC)
MODEL = "TEST-Open"
ANCHORED = PRESETS["anchored"]
LIGHT = ANCHORED.model_copy(
    update={"training": ANCHORED.training.model_copy(update={"epochs": 1, "members": 1, "patience": None})}
)
OTHER = LIGHT.model_copy(update={"shrinkage": 0.25})
# A network that has hardly learned where prices are: worse than naive on every session.
HOPELESS = ForecasterConfig(lookback=3, network=NetworkConfig(units=(2,)), training=TrainingConfig(epochs=1))
# Three periods of so many sessions: from row 120, 135 and 150.
WANTED = ProofConfig(sessions=40, history=100, refit_every=15)


@cache
def fitted(fingerprint: str, config: str) -> Fitted:
    """A fit is the same whenever it is made of the same prices: it takes a second once."""
    train = TRAINED[fingerprint]
    return fit_period(train, Period(start=len(train), stop=len(train)), ForecasterConfig.model_validate_json(config))


TRAINED: dict[str, Prices] = {}


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[date]:
    """The first sessions of the periods that were fitted, in their order."""
    made: list[date] = []

    def fit(prices: Prices, period: Period, config: ForecasterConfig, shared: object = None) -> Fitted:
        assert shared is None
        made.append(prices.day(period.start))
        train = prices.rows(0, period.start)
        TRAINED[train.fingerprint] = train
        return fitted(train.fingerprint, config.model_dump_json())

    monkeypatch.setattr(proofs, "fit_period", fit)
    return made


@pytest.fixture
def kept(tracking: Tracking) -> Tracking:
    """MLflow with proofs of forty sessions, that nothing is decided on."""
    return with_gate(tracking, Gate())


def with_gate(tracking: Tracking, gate: Gate) -> Tracking:
    return Tracking(tracking.client, tracking.settings.model_copy(update={"proof": WANTED, "gate": gate}))


def made(tracking: Tracking, prices: Prices = PRICES, config: ForecasterConfig = LIGHT) -> KeptProof:
    found = prove(tracking, prices, config, AT)
    assert isinstance(found, KeptProof)
    return found


def days(*rows: int) -> list[date]:
    return [PRICES.day(row) for row in rows]


def restated(row: int) -> Prices:
    """The Close of one session is another one now, by a cent."""
    values = PRICES.values.copy()
    values[row, 3:5] += 0.01 * np.sign(values[row, 1] - values[row, 3] - 0.005)
    return replace(PRICES, values=values)


def same(one: Proof, two: Proof) -> bool:
    def series(judged: Evaluation) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
        parts = [getattr(judged, field.name) for field in fields(Evaluation) if field.name not in ("unit", "horizon")]
        return [each for part in parts for each in (part.values() if isinstance(part, dict) else [part])]

    pairs = zip(series(one.judged), series(two.judged), strict=True)
    return (one.tried, one.judged.unit) == (two.tried, two.judged.unit) and all(
        np.array_equal(mine, other, equal_nan=mine.dtype.kind == "f") for mine, other in pairs
    )


def afresh(tracking: Tracking, prices: Prices, config: ForecasterConfig = LIGHT) -> Proof:
    """The same proof where nothing of it is kept."""
    experiment = tracking.settings.tracking.model_copy(update={"experiment": f"of {prices.fingerprint}"})
    settings = tracking.settings.model_copy(update={"tracking": experiment})
    return made(Tracking(tracking.client, settings), prices, config).proof


def folder(tracking: Tracking, found: KeptProof, row: int) -> Path:
    """Where the run keeps the period that begins with a row."""
    uri = tracking.client.get_run(found.run_id).info.artifact_uri
    return Path(urlparse(uri).path) / "proof" / str(PRICES.day(row))


def test_a_proof_that_is_kept_is_read_again_without_a_fit(kept: Tracking, fits: list[date]) -> None:
    first = made(kept)
    assert fits == days(120, 135, 150)
    assert (first.proof.sessions, first.proof.first, first.proof.last) == (40, *days(120, 159))
    again = made(kept)
    assert fits == days(120, 135, 150)
    assert again.run_id == first.run_id
    assert same(again.proof, first.proof)
    run = kept.client.get_run(first.run_id)
    assert (run.info.status, run.data.tags["kind"], run.data.tags["security"]) == ("FINISHED", "proof", "TEST")
    assert run.data.params["forecaster.training.epochs"] == "1"
    assert run.data.params["proof.refit_every"] == "15"


def test_only_what_is_kept_is_asked_for_without_a_fit_a_trial_or_a_run(kept: Tracking, fits: list[date]) -> None:
    def ask() -> KeptProof | NoProof:
        return prove(kept, PRICES, LIGHT, AT, kept_only=True)

    assert ask() == NOT_KEPT
    assert Trials(kept.settings.ledger_uri).of("TEST-Open", with_refits(trial_key(LIGHT), 15)) is None
    assert kept.client.search_runs([kept.experiment_id()]) == []
    first = made(kept)
    again = ask()
    assert isinstance(again, KeptProof)
    assert same(again.proof, first.proof)
    kept.client.delete_run(first.run_id)
    assert ask() == NOT_KEPT
    assert fits == days(120, 135, 150)


def test_a_newer_run_that_somebody_tagged_as_the_proofs_is_not_taken_for_it(kept: Tracking, fits: list[date]) -> None:
    first = made(kept)
    tags = kept.client.get_run(first.run_id).data.tags
    theirs = {name: tags[name] for name in ("x.proof.key", "kind")}
    kept.client.create_run(kept.experiment_id(), start_time=int(AT.timestamp() * 1000) * 2, tags=theirs)
    again = made(kept)
    assert again.run_id == first.run_id
    assert fits == days(120, 135, 150)


def test_the_next_day_adds_a_session_without_a_fit(kept: Tracking, fits: list[date]) -> None:
    for known in range(155, 161):
        last = made(kept, PRICES.rows(0, known))
    assert fits == days(115, 130, 145)
    assert last.proof.sessions == 45, "it began with 40 sessions, and five were added"
    assert last.proof.first == PRICES.day(115)
    assert same(last.proof, afresh(kept, PRICES))


def test_where_a_year_is_over_one_more_fit_is_made(kept: Tracking, fits: list[date]) -> None:
    made(kept, PRICES.rows(0, 159))
    del fits[:]
    made(kept, PRICES)
    assert fits == []
    longer = make_prices(170)
    longer = replace(longer, values=np.concatenate([PRICES.values, longer.values[160:]]))
    made(kept, longer)
    assert fits == [longer.day(164)]


def test_an_earlier_day_is_answered_and_leaves_what_is_kept(kept: Tracking, fits: list[date]) -> None:
    whole = made(kept)
    del fits[:]
    earlier = made(kept, PRICES.rows(0, 140))
    assert (earlier.run_id, earlier.proof.sessions, earlier.proof.last) == (whole.run_id, 20, PRICES.day(139))
    assert fits == [], "the fit of a period serves each of its days"
    assert same(earlier.proof, Proof(judged=whole.proof.judged.part(slice(0, 20))))
    assert same(made(kept).proof, whole.proof)
    assert fits == []
    assert len(json.loads((folder(kept, whole, 135) / "forecasts.json").read_text())["sessions"]) == 15


@pytest.mark.parametrize(
    ("row", "again"),
    [
        (50, (120, 135, 150)),
        (119, (120, 135, 150)),
        (125, (135, 150)),
        (134, (135, 150)),
        (140, (150,)),
        (155, ()),
        (159, ()),
    ],
)
def test_a_restated_price_makes_again_what_knew_it(
    kept: Tracking, fits: list[date], row: int, again: tuple[int, ...]
) -> None:
    made(kept)
    del fits[:]
    other = made(kept, restated(row))
    assert fits == days(*again)
    assert same(other.proof, afresh(kept, restated(row)))
    # The prices of before are kept no more, and nothing of the restated ones is taken for theirs.
    assert same(made(kept).proof, afresh(kept, PRICES))


def test_a_dividend_makes_nothing_again(kept: Tracking, fits: list[date]) -> None:
    whole = made(kept)
    values = PRICES.values.copy()
    values[:150, 4] *= 0.99
    paid = replace(PRICES, values=values)
    assert paid.fingerprint != PRICES.fingerprint
    del fits[:]
    assert same(made(kept, paid).proof, whole.proof)
    assert fits == []


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:200])


def _spoil(file: Path) -> None:
    file.write_bytes(b"\x00" * 50 + file.read_bytes()[50:])


def _remove(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("damage", [_cut, _spoil, _remove])
@pytest.mark.parametrize("name", ["forecasts.json", "recipe.json", "weights.npz"])
def test_what_is_damaged_is_made_again(
    kept: Tracking, fits: list[date], name: str, damage: Callable[[Path], None]
) -> None:
    before = made(kept, PRICES.rows(0, 158))
    del fits[:]
    damage(folder(kept, before, 148) / name)
    # The period is not over: its fit is needed for the next session, its forecasts for those before.
    found = made(kept, PRICES.rows(0, 159))
    assert fits == days(148)
    assert same(found.proof, afresh(kept, PRICES.rows(0, 159)))
    made(kept, PRICES)
    assert fits == days(148, 118, 133, 148), "made again once for all (and once afresh)"


def test_one_character_of_the_kept_forecasts_is_enough_to_make_them_again(kept: Tracking, fits: list[date]) -> None:
    whole = made(kept)
    file = folder(kept, whole, 120) / "forecasts.json"
    found = json.loads(file.read_text())
    before, one, after = (found["quantiles"][part] for part in (slice(40), 40, slice(41, None)))
    found["quantiles"] = before + ("A" if one != "A" else "B") + after
    file.write_text(json.dumps(found))
    del fits[:]
    assert same(made(kept).proof, whole.proof)
    assert fits == days(120)


@pytest.mark.parametrize("of", ["another place", "another ledger"])
def test_forecasts_that_were_not_written_here_are_no_proof(kept: Tracking, fits: list[date], of: str) -> None:
    """Whole and plausible, with every digest of their own, as who can write to MLflow would forge them."""
    whole = made(kept)
    file = folder(kept, whole, 120) / "forecasts.json"
    if of == "another place":
        found = json.loads(file.read_text())
        came = PRICES.column("Open")[120:135]
        found["forecast"] = came.tolist()
        found["quantiles"] = found["alone"] = packed(came[:, np.newaxis] + np.linspace(-0.1, 0.1, 25))
        found["digest"] = digest({name: value for name, value in found.items() if name != "digest"})
        file.write_text(json.dumps(found))
    else:
        (kept.settings.home / "ledger.db").rename(kept.settings.home / "other.db")
    del fits[:]
    again = made(kept)
    assert fits == (days(120) if of == "another place" else days(120, 135, 150))
    assert same(again.proof, whole.proof)
    del fits[:]
    assert same(made(kept).proof, whole.proof)
    assert fits == []


def test_another_history_is_no_second_draw(kept: Tracking, fits: list[date]) -> None:
    # Begun with a file that lacks the oldest sessions: a longer one is used from there on, a shorter one not at all.
    begun = made(kept, PRICES.rows(5, 160))
    del fits[:]
    assert same(made(kept).proof, begun.proof)
    assert fits == []
    shorter = PRICES.rows(6, 160)
    assert prove(kept, shorter, LIGHT, AT) == NoProof(
        f"these prices begin on {shorter.first}, and its proof began with prices from {PRICES.day(5)} on"
    )
    earlier = PRICES.rows(5, 110)
    why = f"its proof begins on {begun.proof.first}, after these prices"
    assert prove(kept, earlier, LIGHT, AT) == NoProof(why)


def test_old_prices_that_cannot_be_fitted_on_leave_the_version_without_a_proof_and_say_why(kept: Tracking) -> None:
    # As of a security whose first half year was filled in with one price: the newest sessions are good.
    values = PRICES.values.copy()
    values[:125] = [100.0, 100.0, 100.0, 100.0, 100.0, 1e6]
    found = prove(kept, replace(PRICES, values=values), LIGHT, AT)
    assert found == NoProof(
        f"no fit is possible on the sessions before {PRICES.day(120)}: "
        "Open of TEST: the same price, $100.00, in all 120 sessions of the training part"
    )


def test_a_fit_that_is_damaged_is_not_missed_where_no_session_is(kept: Tracking, fits: list[date]) -> None:
    whole = made(kept)
    for row in (120, 135, 150):
        (folder(kept, whole, row) / "weights.npz").unlink()
    del fits[:]
    assert same(made(kept).proof, whole.proof)
    assert fits == []


def test_weights_of_another_fit_are_not_taken_for_its_own(kept: Tracking, fits: list[date]) -> None:
    # As a process leaves them that is killed between two files of a fit that was made again.
    before = made(kept, PRICES.rows(0, 158))
    del fits[:]
    other = folder(kept, before, 133) / "weights.npz"
    (folder(kept, before, 148) / "weights.npz").write_bytes(other.read_bytes())
    found = made(kept, PRICES.rows(0, 159))
    assert fits == days(148)
    assert same(found.proof, afresh(kept, PRICES.rows(0, 159)))


def test_a_proof_that_was_killed_goes_on_where_it_stopped(kept: Tracking, fits: list[date]) -> None:
    class Killed(BaseException):
        pass

    def show(done: int, periods: int) -> None:
        shown.append((done, periods))
        if done == 2:
            raise Killed

    shown: list[tuple[int, int]] = []
    with pytest.raises(Killed):
        prove(kept, PRICES, LIGHT, AT, show)
    assert (fits, shown) == (days(120, 135), [(0, 3), (1, 3), (2, 3)])
    made(kept)
    assert fits == days(120, 135, 150)


def test_the_first_session_of_a_trial_stays_whatever_is_configured_later(kept: Tracking, fits: list[date]) -> None:
    made(kept)
    shorter = kept.settings.model_copy(update={"proof": WANTED.model_copy(update={"sessions": 20})})
    found = made(Tracking(kept.client, shorter))
    assert (found.proof.sessions, found.proof.first) == (40, PRICES.day(120))
    assert fits == days(120, 135, 150)


def test_a_seed_is_no_configuration_of_its_own(kept: Tracking, fits: list[date]) -> None:
    first = made(kept)
    for seed in range(1, 4):
        seeded = LIGHT.model_copy(
            update={
                "preset": "mine",
                "training": LIGHT.training.model_copy(update={"seed": seed, "warm_start": True}),
            }
        )
        found = made(kept, config=seeded)
        assert (found.run_id, found.proof.tried) == (first.run_id, 1)
        assert trial_key(seeded) == trial_key(LIGHT)
    assert fits == days(120, 135, 150)


def test_each_configuration_of_ones_own_is_one_more_and_the_presets_are_one_together(
    kept: Tracking, fits: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = LIGHT.model_copy(update={"lookback": 19})
    monkeypatch.setitem(PRESETS, "one", LIGHT)
    monkeypatch.setitem(PRESETS, "two", OTHER)
    numbers = [made(kept, PRICES.rows(0, 105), config).proof.tried for config in (LIGHT, mine, OTHER, HOPELESS, LIGHT)]
    assert numbers == [1, 2, 1, 3, 1]
    # Another column is another model.
    close = mine.model_copy(update={"column": "Close"})
    assert made(kept, PRICES.rows(0, 105), close).proof.tried == 1
    assert len(fits) == 5


def test_other_sessions_between_fits_are_another_proof_and_one_more_try(kept: Tracking, fits: list[date]) -> None:
    def fitted_every(sessions: int) -> Tracking:
        proof = WANTED.model_copy(update={"refit_every": sessions})
        return Tracking(kept.client, kept.settings.model_copy(update={"proof": proof}))

    first = made(kept)
    other = made(fitted_every(20))
    assert (first.proof.tried, other.proof.tried) == (1, 2)
    assert first.run_id != other.run_id
    assert fits == days(120, 135, 150, 120, 140)
    assert (made(kept).run_id, made(fitted_every(20)).run_id) == (first.run_id, other.run_id)
    assert len(fits) == 5


def test_a_proof_that_is_fitted_once_a_year_is_found_by_the_key_that_it_always_had() -> None:
    assert ProofConfig().refit_every == 252
    assert with_refits("a key", 252) == "a key"
    assert len({with_refits("a key", sessions) for sessions in (21, 126, 252, 504)}) == 4


def test_a_proof_that_began_is_not_one_with_too_few_prices_because_more_history_is_asked_for(kept: Tracking) -> None:
    begun = made(kept).proof
    more = kept.settings.proof.model_copy(update={"history": kept.settings.proof.history + 30})
    asked = Tracking(kept.client, kept.settings.model_copy(update={"proof": more}))
    assert prove(asked, PRICES, LIGHT, AT) == NoProof(f"these prices have too little history before {begun.first}")


def test_where_prices_are_too_few_there_is_no_proof_and_nothing_was_tried(kept: Tracking, fits: list[date]) -> None:
    assert prove(kept, PRICES.rows(0, 100), LIGHT, AT) == NoProof(TOO_FEW)
    assert Trials(kept.settings.ledger_uri).of(MODEL, with_refits(trial_key(LIGHT), 15)) is None
    assert fits == []
    one = made(kept, PRICES.rows(0, 101))
    assert (one.proof.sessions, one.proof.first) == (1, PRICES.day(100))


def test_what_has_no_skill_is_not_fitted_further(tracking: Tracking, fits: list[date]) -> None:
    decided = with_gate(tracking, Gate(min_sessions=10, min_evidence=2))
    found = made(decided, config=HOPELESS)
    assert found.proof.verdict(decided.settings.gate.needed) == "no skill"
    assert fits == days(120)
    assert found.proof.last == PRICES.day(134)
    assert same(made(decided, config=HOPELESS).proof, found.proof)
    assert fits == days(120)
    # Further days are not worth a look, until it is decided otherwise.
    assert same(made(decided, PRICES.rows(0, 140), HOPELESS).proof, found.proof)
    assert fits == days(120)
    patient = with_gate(tracking, Gate(min_sessions=31, min_evidence=2))
    assert made(patient, config=HOPELESS).proof.sessions == 40
    assert fits == days(120, 135, 150)
