"""The JSON of `tomorrow train`; that of a promotion has the gate's part of it."""

from datetime import date
from typing import Any

from flows.cli.result import Answer, Finite, PricesAnswer, SecuritiesAnswer, of


class TrainPart(Answer):
    """The part that is fitted on: windows, sessions in each, figures of each session."""

    inputs: tuple[int, int, int]
    targets: tuple[int]


class TestPart(Answer):
    """The test period; `series` are its sessions with those that its first window looks back on."""

    inputs: tuple[int, int, int]
    series: int
    first: date
    last: date


class FitAnswer(Answer):
    """How the fit went."""

    epochs: int
    seconds: float = of("fit_seconds")
    first_loss: float
    last_loss: float
    backend: str


class CheckAnswer(Answer):
    """One check of the gate: PASS, FAIL or INFO; the name is empty for a sentence that stands alone."""

    result: str
    name: str
    measured: str
    needed: str


class VerdictAnswer(Answer):
    """What is known of a version's skill so many sessions ahead; null where that is not on record."""

    horizon: int
    verdict: str | None
    evidence: float | None


class GateAnswer(Answer):
    """What the gate decided, and why.

    verdict:  proven, undecided or no skill; null where that is not on record
    evidence: the odds that the configuration has skill: 46.0 is 46 to 1
    horizons: the verdict on each horizon, that on the next session first; the others decide nothing
    reasons:  a sentence for each of the `checks`, in their order
    """

    promoted: bool
    verdict: str | None
    evidence: float | None
    horizons: tuple[VerdictAnswer, ...]
    reasons: tuple[str, ...]
    checks: tuple[CheckAnswer, ...]


class ProofAnswer(Answer):
    """The proof of the configuration; `tried`: it is the k-th configuration that was tried on this model."""

    run_id: str
    tried: int = of("proof.tried")
    sessions: int = of("proof.sessions")
    first: date = of("proof.first")
    last: date = of("proof.last")
    evidence: float = of("proof.odds")
    evidence_against: float = of("proof.odds_against")
    crps: Finite = of("proof.judged.crps")
    naive_crps: Finite = of("proof.judged.naive_crps")
    crps_skill: Finite = of("proof.judged.crps_skill")
    of_scale_alone: Finite = of("proof.of_scale_alone")


class TrainAnswer(Answer):
    """The object of `tomorrow train --json`.

    base:    the built-in preset that it is told from: the preset itself, or the one that it differs least from
    changed: what differs from that, by dotted key
    """

    run_id: str
    run_url: str
    model: str = of("version.model")
    version: int = of("version.version")
    stage: str = of("version.stage")
    repeated: bool
    key: str
    preset: str = of("config.preset")
    base: str | None
    changed: dict[str, str]
    ticker: str = of("split.prices.security.ticker")
    column: str = of("config.column")
    source: str = of("split.prices.source")
    currency: str | None = of("split.prices.security.unit")
    prices: PricesAnswer
    stale: bool = of("fetched.stale")
    train: TrainPart
    test: TestPart
    start: dict[str, Any]
    fit: FitAnswer = of("results")
    metrics: dict[str, float] = of("results.metrics")
    decision: GateAnswer
    proof: ProofAnswer | None
    seconds: dict[str, float]


class ListProofAnswer(Answer):
    """What is known at a horizon of all securities of a list together; it opens no gate.

    listed:     how many securities the list names
    claim:      what may be said of them, or why there is no proof; then the figures are null
    securities: how many of them have a proof, and count
    tried:      it is the k-th list and configuration that was tried at this horizon, and needs k times the evidence
    """

    horizon: int
    listed: int
    claim: str
    verdict: str | None
    securities: int | None = of("proof.securities", None)
    tried: int | None = of("proof.tried", None)
    sessions: int | None = of("proof.sessions", None)
    first: date | None = of("proof.first", None)
    last: date | None = of("proof.last", None)
    evidence: float | None = of("proof.odds", None)
    evidence_against: float | None = of("proof.odds_against", None)
    crps_skill: Finite = of("proof.crps_skill", None)
    of_scale_alone: Finite = of("proof.of_scale_alone", None)


class SharedAnswer(SecuritiesAnswer):
    """The object of `tomorrow train --json` for securities that share a network.

    list_proof: an entry for each horizon, the next session first
    """

    list_proof: tuple[ListProofAnswer, ...]
