"""The proof over a whole list of securities that share a network: from the kept proofs of each, with nothing fitted.

**What was tried counts.** A list with a configuration is one trial, recorded in the ledger before it is judged, among
all lists of the column and the horizon: the k-th needs k times the evidence. So does whoever tried the configuration
k-th on one of the securities.

**Nothing is left out.** Of twenty securities without skill the five that did best look as if they had some. So a new
list has to name every security on which anything was tried at this horizon, since its results could be seen. Where one
of the list could not be trained, its proof is gone, or its prices end before those of the others, nothing is judged.
One with too few prices for a proof changes nothing before it has one.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from model.backtest.further_proof import what_is_proven
from model.backtest.list_proof import FEWEST, ListProof
from model.config import Column, ForecasterConfig
from model.evaluation.decision import Verdict
from model.evaluation.evidence.proof import Needed, Proof
from model.evaluation.gate import TOO_FEW
from model.market.calendar import OBSERVED, code_of
from model.market.security import Security
from tasks.backtest.cache_key import trial_key, with_refits
from tasks.backtest.further_proofs import further_model, prove_further
from tasks.backtest.proofs import KeptProof, NoProof, prove
from tasks.backtest.shared_networks import SHARED_RUN, named_run
from tasks.ledger.trials import Trials
from tasks.registry.gate import reload_training
from tasks.registry.registry import Registry
from tasks.settings import Settings
from tasks.tracking.client import Tracking
from tasks.tracking.provenance import digest

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Tag of a shared network's run: the newest session of the list's proof that it shows.
UNTIL = "x.list.until"
# Characters; a list may have hundreds of securities.
LONGEST = 1000
# How many of the securities that are left out are named.
SHOWN = 5
# Stands for the ticker in the name of a model.
GAP = "\0"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedList:
    """What is known of a list's skill at a horizon; it decides nothing.

    horizon: sessions ahead
    listed:  how many securities the list names
    proof:   None where there is none
    verdict: None likewise
    claim:   what may be said of it, or why there is no proof
    """

    horizon: int
    listed: int
    proof: ListProof | None
    verdict: Verdict | None
    claim: str

    @property
    def named(self) -> str:
        """The horizon, in words."""
        return "next session" if self.horizon == 1 else f"{self.horizon} sessions ahead"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Member:
    """One security of a list.

    oldest: its oldest session
    newest: its newest session
    proofs: sessions ahead -> its proof, or why there is none
    """

    security: Security
    oldest: date
    newest: date
    proofs: Mapping[int, Proof | NoProof]


def judge_list(
    tracking: Tracking, versions: Mapping[str, int], config: ForecasterConfig, at: datetime
) -> tuple[JudgedList, ...]:
    """What the kept proofs of these versions say of all of them together, at each horizon.

    versions: model -> the version that was trained with `config`, of each security of the list
    at:       the time now; a list that is tried for the first time is recorded
    """
    members = [_member(tracking, model, version, at) for model, version in versions.items()]
    needed, found = tracking.settings.gate.needed, list[JudgedList]()
    for ahead in config.horizon:
        proof = list_proof(tracking.settings, members, config, ahead, at)
        found.append(_judged(ahead, len(members), proof, needed))
    return tuple(found)


def unjudged(listed: int, horizons: Iterable[int], why: str) -> tuple[JudgedList, ...]:
    """What is known of a list that has no proof."""
    claim = f"not judged: {why}"
    return tuple(JudgedList(horizon=ahead, listed=listed, proof=None, verdict=None, claim=claim) for ahead in horizons)


def record_list(tracking: Tracking, config: ForecasterConfig, judged: Sequence[JudgedList], at: datetime) -> None:
    """Log what is known of a list in the run of its shared network."""
    run_id = named_run(tracking, config).get(SHARED_RUN)
    if run_id is not None:
        log_list(tracking.client, run_id, judged, at)


def log_list(client: "MlflowClient", run_id: str, judged: Sequence[JudgedList], at: datetime) -> None:
    """Log what is known of a list in a run, unless that shows a later proof already.

    at: the time now: of two lists that one network forecasts the run shows the one that was judged last
    """
    from mlflow.entities import Metric, RunTag

    proofs = [each.proof for each in judged if each.proof is not None]
    last = max((proof.last.isoformat() for proof in proofs), default="")
    if not proofs or client.get_run(run_id).data.tags.get(UNTIL, "") > last:
        return
    tickers = sorted(set[str]().union(*(proof.proofs for proof in proofs)))
    metrics, tags = list[Metric](), {"list": ", ".join(tickers)[:LONGEST], UNTIL: last}
    for each in judged:
        of_it, prefix = ("", "") if each.horizon == 1 else (f".{each.horizon}", f"in_{each.horizon}_")
        verdict, odds = ("", "") if each.proof is None else (str(each.verdict), f"{each.proof.odds:.6g}")
        tags |= {f"list.claim{of_it}": each.claim, f"list.verdict{of_it}": verdict, f"list.evidence{of_it}": odds}
        if each.proof is not None:
            moment, step = round(1000 * at.timestamp()), each.proof.last.toordinal()
            figures = list_metrics(each.proof)
            metrics += [Metric(f"{prefix}{name}", value, moment, step) for name, value in figures.items()]
    client.log_batch(run_id, metrics=metrics, tags=[RunTag(name, text) for name, text in tags.items()])


def list_metrics(proof: ListProof) -> dict[str, float]:
    """Name -> figure of a list's proof; the odds as their decimal logarithm (1.3 is 20 to 1)."""
    figures = {
        "list_proof_evidence": math.log10(proof.odds),
        "list_proof_evidence_against": math.log10(proof.odds_against),
        "list_proof_crps_skill": proof.crps_skill,
        "list_proof_sessions": float(proof.sessions),
        "list_proof_securities": float(proof.securities),
    }
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def list_proof(
    settings: Settings, members: Sequence[Member], config: ForecasterConfig, ahead: int, at: datetime
) -> ListProof | NoProof:
    """The proof over a list at a horizon, or why there is none.

    config: what all of them were trained with
    at:     the time now; a list that is tried for the first time is recorded
    """
    proofs = dict[str, Proof]()
    for member in members:
        ticker, found = member.security.ticker, member.proofs[ahead]
        if isinstance(found, Proof):
            proofs[ticker] = found
        elif found.why != TOO_FEW:
            return NoProof(f"{ticker} has no proof: {found.why}")
    if len(proofs) < FEWEST:
        return NoProof(f"{len(proofs)} of {len(members)} securities have a proof; at least {FEWEST} are needed")
    places = sorted({_place(member.security) for member in members})
    if len(places) > 1:
        return NoProof(f"its securities trade at the hours of {', '.join(places)}; it needs those of one exchange")
    first, last = (end(members, key=lambda member: member.newest) for end in (min, max))
    if first.newest != last.newest:
        ends = f"{first.security.ticker} on {first.newest}, {last.security.ticker} on {last.newest}"
        return NoProof(f"its prices end on different days: {ends}; it needs prices up to the same session")
    number = _number(settings, members, proofs, config, ahead, at)
    return number if isinstance(number, NoProof) else ListProof(proofs=proofs, number=number)


def _member(tracking: Tracking, model: str, version: int, at: datetime) -> Member:
    config, split = reload_training(tracking, Registry(tracking).version(model, version))
    own = prove(tracking, split.prices, config.forecaster, at, kept_only=True)
    return Member(
        security=split.prices.security,
        oldest=split.prices.first,
        newest=split.prices.last,
        proofs={
            1: own.proof if isinstance(own, KeptProof) else own,
            **prove_further(tracking.settings, split.prices, config.forecaster, at),
        },
    )


def _number(
    settings: Settings,
    members: Sequence[Member],
    proofs: Mapping[str, Proof],
    config: ForecasterConfig,
    ahead: int,
    at: datetime,
) -> int | NoProof:
    """It is the k-th list and configuration that was tried at this horizon: recorded now if it was not.

    Or why it may not be: a security that was tried before the list was named is left out of it.
    """
    # What forecasts further ahead has no network, so that another network is no further try there.
    what = trial_key(config) if ahead == 1 else what_is_proven(config.column, ahead)
    named = digest([what, sorted(member.security.ticker for member in members)])
    key, trials = with_refits(named, settings.proof.refit_every), Trials(settings.ledger_uri)
    # A name that no model has: lists count among lists.
    model = f"lists of securities, {config.column} in {ahead}"
    if trials.of(model, key) is None:
        listed = {member.security.ticker for member in members}
        if left_out := sorted(_tried(settings, trials, config.column, ahead) - listed):
            some = ", ".join(left_out[:SHOWN]) + (", ..." if len(left_out) > SHOWN else "")
            return NoProof(f"it leaves out {some}, tried before it was named; name every security that was tried")
    oldest, first = min(member.oldest for member in members), min(proof.first for proof in proofs.values())
    return trials.record(model, key, key, oldest, first, at).number


def _tried(settings: Settings, trials: Trials, column: Column, ahead: int) -> set[str]:
    """The tickers on which anything was tried at a horizon, by the names of their models."""
    before, after = (re.escape(part) for part in settings.model_name(GAP, column).split(GAP))
    ending = "" if ahead == 1 else re.escape(further_model("", ahead))
    names = (re.fullmatch(f"{before}([^ ]+){after}{ending}", model) for model in trials.models())
    return {found[1] for found in names if found}


def _place(security: Security) -> str:
    """Where a security trades: securities of one place trade at the same hours."""
    code = code_of(security.exchange)
    return f"{code} {security.zone}" if code == OBSERVED and security.zone else code


def _judged(ahead: int, listed: int, found: ListProof | NoProof, needed: Needed) -> JudgedList:
    if isinstance(found, NoProof):
        (judged,) = unjudged(listed, (ahead,), found.why)
        return judged
    skill, waits = found.crps_skill, listed - found.securities
    beside = "no distributions to compare" if math.isnan(skill) else f"mean skill {skill:+.3f}"
    young = f"; {waits} of {listed} with too few prices for a proof" if waits else ""
    return JudgedList(
        horizon=ahead,
        listed=listed,
        proof=found,
        verdict=found.verdict(needed),
        claim=f"{found.claim(needed)}; {beside}{young}",
    )
