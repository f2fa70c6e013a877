"""Asks the gate about a candidate: it and the version in Production are judged by their configurations' proofs."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from model.errors import ConfigurationError, NothingInProduction, TomorrowError
from model.evaluation.baselines import naive_brief
from model.evaluation.check import Check, info
from model.evaluation.decision import Decision, FurtherVerdict, Verdict
from model.evaluation.evaluation import Evaluation, evaluate
from model.evaluation.evidence.proof import Needed, Proof
from model.evaluation.gate import Candidate, Champion, decide
from model.evaluation.split import Split
from tasks.backtest.cache_key import trial_key
from tasks.backtest.further_proofs import prove_further
from tasks.backtest.proofs import KeptProof, NoProof, OnPeriod, prove
from tasks.registry.registry import Registry
from tasks.registry.version import RegisteredVersion
from tasks.tracking.checked_files import trained_as
from tasks.tracking.client import Tracking
from tasks.tracking.model_artifact import load_forecaster
from tasks.tracking.run_inputs import RunConfig, reload_test, run_config

if TYPE_CHECKING:
    from model.config import ForecasterConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proofs:
    """The proofs that the gate needs; NoProof says why there is none.

    own:   the candidate's
    every: digest of a configuration -> its proof
    further: sessions ahead -> the candidate's proof at that horizon; the gate does not ask for them
    """

    own: KeptProof | NoProof
    every: Mapping[str, KeptProof | NoProof]
    further: Mapping[int, Proof | NoProof] = field(default_factory=dict)

    @property
    def kept(self) -> KeptProof | None:
        """The candidate's proof; None where there is none."""
        return self.own if isinstance(self.own, KeptProof) else None


def prove_versions(
    tracking: Tracking,
    candidate: RegisteredVersion,
    champion: RegisteredVersion | None,
    at: datetime,
    show: OnPeriod | None = None,
) -> Proofs:
    """The proofs of both versions' configurations, on the candidate's prices; missing parts are computed."""
    own, split = reload_training(tracking, candidate)
    every: dict[str, KeptProof | NoProof] = {}
    for config in (own.forecaster, _config(tracking, champion)):
        # On most days both have the same configuration, so that one proof serves for both.
        if config is not None and (key := trial_key(config)) not in every:
            every[key] = prove(tracking, split.prices, config, at, show)
    further = prove_further(tracking.settings, split.prices, own.forecaster, at)
    return Proofs(own=every[trial_key(own.forecaster)], every=every, further=further)


def ask_gate(
    tracking: Tracking,
    candidate: RegisteredVersion,
    champion: RegisteredVersion | None,
    at: datetime,
    known: Proofs | None = None,
) -> Decision:
    """Judge a candidate on the prices that its run kept, and decide.

    It is loaded from the registry, just as for a forecast, so what is judged is what will forecast.

    known: the proofs that `prove_versions` gave; any other is computed now
    """
    own, split = reload_training(tracking, candidate)
    test, proofs = _judge(tracking, candidate, split, own.forecaster.column), dict(known.every if known else {})

    def proof_of(config: "ForecasterConfig") -> KeptProof | NoProof:
        key = trial_key(config)
        if key not in proofs:
            proofs[key] = prove(tracking, split.prices, config, at)
        return proofs[key]

    kept = proof_of(own.forecaster)
    beside = None
    if champion is not None:
        theirs = _config(tracking, champion)
        compared = None if theirs is None else proof_of(theirs)
        beside = Champion(
            version=champion.version,
            age=_age(tracking, champion, split),
            proof=compared.proof if isinstance(compared, KeptProof) else None,
            proven=Registry(tracking).history.verdict(champion.model, champion.version) == Verdict.PROVEN,
            same=theirs is not None and trial_key(theirs) == trial_key(own.forecaster),
            lacks=() if theirs is None else _added(theirs.horizon, own.forecaster.horizon),
        )
    wants = (
        Candidate(test=test, proof=None, why=kept.why)
        if isinstance(kept, NoProof)
        else Candidate(test=test, proof=kept.proof)
    )
    further = known.further if known else prove_further(tracking.settings, split.prices, own.forecaster, at)
    return with_further(decide(wants, beside, tracking.settings.gate), further, tracking.settings.gate.needed)


def _added(theirs: Sequence[int], own: Sequence[int]) -> tuple[int, ...]:
    """The horizons that only the second has; none where the first has one that the second lacks."""
    return tuple(ahead for ahead in own if ahead not in theirs) if set(theirs) <= set(own) else ()


def with_further(decision: Decision, further: Mapping[int, Proof | NoProof], needed: Needed) -> Decision:
    """A decision with what is known at each further horizon: verdicts of their own, which decide nothing."""
    proofs = {ahead: proof for ahead, proof in further.items() if isinstance(proof, Proof)}
    return replace(
        decision,
        checks=(*decision.checks, *(further_check(ahead, proof, needed) for ahead, proof in further.items())),
        further={ahead: FurtherVerdict(proof.verdict(needed), proof.odds) for ahead, proof in proofs.items()},
    )


def further_check(ahead: int, proof: Proof | NoProof, needed: Needed) -> Check:
    """What is known at a further horizon, as a line among the gate's."""
    name = f"{ahead} sessions ahead"
    if isinstance(proof, NoProof):
        return info(name, f"not judged: {proof.why}")
    best = proof.judged.best_naive_distribution
    if best is None or proof.evidence is None:
        return info(name, f"{proof.claim(needed)}; no distributions to compare")
    return info(name, f"{proof.claim(needed)}; skill {proof.judged.crps_skill:+.3f} beside {naive_brief(best)}")


def champion(registry: Registry, model: str, at: datetime) -> RegisteredVersion | None:
    """The version in Production, which a candidate has to beat; None where there is none. `at`: the time now."""
    try:
        return registry.production(model, at)
    except NothingInProduction:
        return None


def reload_training(tracking: Tracking, candidate: RegisteredVersion) -> tuple[RunConfig, Split]:
    """The configuration and the prices of a candidate's training; the ledger says which run that is."""
    run_id = trained_as(tracking.settings, candidate.model_uri, candidate.source).run_id
    return reload_test(tracking, run_id, candidate.model_uri)


def _config(tracking: Tracking, version: RegisteredVersion | None) -> "ForecasterConfig | None":
    """The configuration that a version was trained with; None where its run is gone."""
    from mlflow.exceptions import MlflowException

    if version is None:
        return None
    try:
        run_id = trained_as(tracking.settings, version.model_uri, version.source).run_id
        return run_config(tracking, run_id, version.model_uri).forecaster
    except (MlflowException, OSError, TomorrowError, ValueError) as error:
        logger.warning(
            "%s %s is judged without a proof: its run holds no configuration: %s", version.model, version.named, error
        )
        return None


def _age(tracking: Tracking, version: RegisteredVersion, split: Split) -> int:
    """How many sessions newer the candidate's newest one is than the version's; negative if the version's is newer."""
    try:
        newest = np.datetime64(trained_as(tracking.settings, version.model_uri, version.source).as_of)
    except ConfigurationError as error:
        logger.warning("%s counts as old: %s", error.subject, error.have)
        return len(split.prices)
    if newest <= split.prices.sessions[-1]:
        return int((split.prices.sessions > newest).sum())
    return -int(np.busday_count(split.prices.sessions[-1], newest))


def _judge(tracking: Tracking, version: RegisteredVersion, split: Split, column: str) -> Evaluation:
    loaded = load_forecaster(tracking.settings, version.model_uri, version.source)
    return evaluate(loaded.predict, split, column)
