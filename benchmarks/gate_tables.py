"""The tables of docs/gate-measured.md, row by row, from the proofs that are there."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import stdtr

from benchmarks.evidence_runs import ALL
from benchmarks.gate_cases import DAILY, MARKETS, POWER, SECOND_SEED, TUTORIAL, Case, cases
from benchmarks.gate_runs import DAYS, NEEDED, WANTED, Wanted, cost, read, seconds, until_day
from benchmarks.walks import NAIVE, unskilled
from model.evaluation import distribution
from model.evaluation.decision import Verdict
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.e_process import odds_text, weigh_against
from model.evaluation.evidence.proof import Proof, mean_ratio
from model.evaluation.gate import Candidate, Champion, Gate, decide

if TYPE_CHECKING:
    from model.market.prices import Values

MONTH = 21


class Found:
    """The proofs that are there."""

    def __init__(self, data: Path, home: Path) -> None:
        self._data, self.home = data, home

    def proof(self, wanted: Wanted) -> Proof | None:
        """A proof; None where it was not made yet."""
        return read(wanted, self._data, self.home)

    def every(self, wanted: Iterable[Wanted]) -> Iterator[tuple[Wanted, Proof]]:
        """Those that are there."""
        for one in wanted:
            proof = self.proof(one)
            if proof is not None:
                yield one, proof


def chance(found: Found) -> Iterator[Sequence[str]]:
    """How often somebody who tries gets a promotion in a market in which nothing can be forecast."""
    yield (
        "",
        "the naive distributions are",
        "cases",
        "promoted",
        "odds of 20 to 1 ever",
        "highest odds",
        "no skill",
        "RMSE better on the newest 21 sessions",
    )
    looked: dict[tuple[str, str], list[_Outcome]] = {}
    for case in cases():
        proofs = [proof for _, proof in found.every(case.wanted)]
        if len(proofs) == len(case.wanted):
            looked.setdefault((case.kind, case.market.split()[0]), []).append(_outcome(case, proofs))
    for (kind, market), outcomes in looked.items():
        yield (f"{kind}, {MARKETS[market]}", NAIVE[market], *_counts(outcomes))
    yield ("all", "", *_counts([outcome for outcomes in looked.values() for outcome in outcomes]))


class _Outcome(NamedTuple):
    """The outcome of a case.

    promoted: whether the gate let anything pass on any day
    odds:     the highest that any proof reached up to the last day
    no_skill: whether some proof ended with the verdict `no skill`
    by_month: whether the RMSE was below the best naive forecast's on the newest 21 sessions of any day
    """

    promoted: bool
    odds: float
    no_skill: bool
    by_month: bool


def _outcome(case: Case, proofs: Sequence[Proof]) -> _Outcome:
    if case.kind == DAILY:
        looks = [(proofs[0], day) for day in range(DAYS)]
        ends = [max(MONTH, proofs[0].sessions - day) for day in range(DAYS)]
        months = [proofs[0].judged.part(slice(end - MONTH, end)) for end in ends]
    else:
        proofs = [until_day(proof, 0) for proof in proofs]
        looks = [(proof, 0) for proof in proofs]
        months = [proof.judged.part(slice(-MONTH, None)) for proof in proofs]
    return _Outcome(
        promoted=any(_passes(proof, day) for proof, day in looks),
        odds=max(proof.odds for proof in proofs),
        no_skill=any(proof.verdict(NEEDED) == Verdict.NO_SKILL for proof in proofs),
        by_month=any(month.has_skill for month in months),
    )


def _passes(proof: Proof, day: int) -> bool:
    """Whether the gate passes a version with the proof as it stood on a day.

    The version's own forecasts of its test period are taken to be those of the proof, so nothing is refused because a
    fit went wrong: that is the gate at its most lenient.
    """
    needed = math.log(proof.needed_odds(NEEDED))
    if proof.evidence is None or proof.evidence.log_odds[: WANTED.sessions + day].max() < needed:
        return False
    then = until_day(proof, day)
    return decide(Candidate(test=then.judged.part(slice(-MONTH, None)), proof=then), None, Gate()).passed


def _counts(outcomes: Sequence[_Outcome]) -> Sequence[str]:
    counts = [
        len(outcomes),
        sum(one.promoted for one in outcomes),
        sum(one.odds >= NEEDED.evidence for one in outcomes),
    ]
    highest = odds_text(max((one.odds for one in outcomes), default=1.0))
    others = [sum(one.no_skill for one in outcomes), sum(one.by_month for one in outcomes)]
    return (*(str(count) for count in counts), highest, *(str(count) for count in others))


def lifetime() -> Iterator[Sequence[str]]:
    """How many forecasters each rule ever passes in 1,250 sessions, all knowing less than what they compare with."""
    yield (
        "of 500 walks, passed on some day",
        "odds of 20 to 1",
        "of 10 to 1",
        "of 5 to 1",
        "Diebold-Mariano, p < .05, after 250 sessions",
        "CRPS better on 21 sessions",
        "on 250 sessions",
    )
    for label, ours, truth, actual in unskilled(500, 1250):
        passed = [_rules(*one) for one in zip(ours, truth, actual, strict=True)]
        yield (label, *(f"{100 * share:.1f} %" for share in np.mean(passed, axis=0)))


def _rules(ours: "Values", truth: "Values", actual: "Values") -> list[bool]:
    odds = weigh_against(actual, ours, {"truth": truth}).odds
    gain = distribution.crps(actual, truth) - distribution.crps(actual, ours)
    n, total, squares = np.arange(1, len(gain) + 1), gain.cumsum(), (gain**2).cumsum()
    average = total / n
    error = np.sqrt(np.maximum(squares / n - average**2, 1e-300) / np.maximum(n - 1, 1))
    tested = stdtr(np.maximum(n - 1, 1), -average / error)[250:]
    means = [np.convolve(gain, np.ones(size), mode="valid") for size in (MONTH, 250)]
    return [
        *(odds >= needed for needed in (20, 10, 5)),
        bool((tested < 0.05).any()),
        *(bool((mean > 0).any()) for mean in means),
    ]


def windows(found: Found) -> Iterator[Sequence[str]]:
    """How often a forecaster is better than the best naive one in windows of several lengths."""
    sizes = (MONTH, 63, 250, 500)
    yield ("", *(f"CRPS, {size} sessions" for size in sizes), *(f"RMSE, {size}" for size in sizes))
    looked: dict[str, list[Proof]] = {}
    for one, proof in found.every([*POWER, *(case.wanted[0] for case in cases())]):
        label = "ten series" if one.market in ALL else f"walks, {MARKETS[one.market.split()[0]]}"
        looked.setdefault(label, []).append(proof)
    for label, proofs in looked.items():
        parts = {size: [part for proof in proofs for part in _parts(proof, size)] for size in sizes}
        yield (
            label,
            *(_share([part.crps < part.naive_crps for part in parts[size]]) for size in sizes),
            *(_share([part.has_skill for part in parts[size]]) for size in sizes),
        )


def _parts(proof: Proof, size: int) -> Iterator[Evaluation]:
    for end in range(size, proof.sessions + 1, 63):
        yield proof.judged.part(slice(end - size, end))


def _share(held: Sequence[bool]) -> str:
    return f"{100 * sum(held) / len(held):.0f} %" if held else ""


def power(found: Found) -> Iterator[Sequence[str]]:
    """The results of the proofs of `anchored` on real prices."""
    yield (
        "",
        "sessions",
        "verdict",
        "evidence",
        "20 to 1 after",
        "CRPS of the best naive",
        "newest 250",
        "of its own scale",
        "RMSE of the best naive",
    )
    for one, proof in found.every(POWER):
        judged, newest = proof.judged, proof.judged.part(slice(-NEEDED.recent, None))
        odds = proof.evidence.log_odds if proof.evidence else np.zeros(1)
        reached = np.flatnonzero(odds >= math.log(proof.needed_odds(NEEDED)))
        yield (
            one.market,
            f"{proof.sessions:,}",
            proof.verdict(NEEDED),
            odds_text(proof.odds),
            f"{reached[0] + 1:,}" if len(reached) else "never",
            f"{judged.crps / judged.naive_crps:.4f}",
            f"{newest.crps / newest.naive_crps:.4f}",
            f"{proof.of_scale_alone:.4f}",
            f"{judged.rmse / judged.naive_rmse:.4f}",
        )


def tutorial(found: Found) -> Iterator[Sequence[str]]:
    """The results of the proofs of the tutorial's network, and when they end."""
    yield ("", "verdict", "sessions", "evidence against it", "CRPS of the best naive", "processor seconds")
    for one, proof in found.every(TUTORIAL):
        yield (
            one.market,
            proof.verdict(NEEDED),
            f"{proof.sessions:,}",
            odds_text(proof.odds_against),
            f"{proof.judged.crps / proof.judged.naive_crps:.3f}",
            f"{seconds(one, found.home).sum():.0f}",
        )


def equal(found: Found) -> Iterator[Sequence[str]]:
    """How often two seeds of a configuration replace each other: by the rule, and if each seed had its own proof."""
    yield ("", "exchanges", "if each seed had its own proof", "smallest ratio of their CRPS")
    for one, other in zip(POWER, SECOND_SEED, strict=True):
        proofs = [found.proof(one), found.proof(other)]
        if proofs[0] is not None and proofs[1] is not None:
            counts = [_exchanges(proofs[0], proofs[1], same=same) for same in (True, False)]
            yield (one.market, *(str(count) for count, _ in counts), f"{counts[0][1]:.4f}")


def _exchanges(first: Proof, second: Proof, *, same: bool) -> tuple[int, float]:
    """How often one replaced the other in the newest 100 days, and the smallest ratio."""
    there, waits, since, count, ratios = first, second, 0, 0, []
    for day in range(100):
        stop = first.sessions - 99 + day
        here, candidate = (replace(one, judged=one.judged.part(slice(stop))) for one in (there, waits))
        ratio = mean_ratio(candidate.judged, here.judged.quantiles)
        ratios += [ratio, 1 / ratio]
        # The gate asks for a ratio below 0.9975 first of all: without it no other check decides.
        if ratio >= Gate().max_crps_ratio and not same:
            continue
        if same and day % 20:
            continue
        champion = Champion(version=1, age=day - since, proof=here, proven=True, same=same)
        test = candidate.judged.part(slice(-MONTH, None))
        if decide(Candidate(test=test, proof=candidate), champion, Gate()).passed:
            there, waits, since, count = waits, there, day, count + 1
    return count, min(ratios)


def times(found: Found) -> Iterator[Sequence[str]]:
    """The time that proofs take."""
    yield ("", "sessions", "fits", "processor seconds")
    for one, proof in found.every(POWER):
        taken = seconds(one, found.home)
        yield (one.market, f"{proof.sessions:,}", str(len(taken)), f"{taken.sum():.1f}")
    for label, total in cost(found.home):
        yield (label, "", "", f"{total:.1f}")
