"""The tables of docs/gate.md: how often chance passes the gate, how often skill does, and what a proof takes.

    .venv/bin/python -m benchmarks.gate --data FOLDER --home HOME [--jobs 2]
    .venv/bin/python -m benchmarks.gate --data FOLDER --home HOME --tables

FOLDER holds FB_2012_2020.csv and AAPL, MSFT, NVDA, KO_2010_2020.csv, in the layout of Yahoo's export. HOME keeps what
each proof forecast: the same command goes on where it was stopped, and with --tables it makes nothing, and prints what
there is. With --pictures FOLDER the figures of that page are drawn, too.
"""

import argparse
import math
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import stdtr

from benchmarks.evidence_runs import ALL
from benchmarks.gate_runs import (
    DAYS,
    NEEDED,
    SEEDS,
    TRIED,
    WANTED,
    Wanted,
    cost,
    make,
    measure_cost,
    read,
    seconds,
    until_day,
)
from benchmarks.walks import NAIVE, unskilled
from model.evaluation import distribution
from model.evaluation.decision import Verdict
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.e_process import odds_text, weigh_against
from model.evaluation.evidence.proof import Proof, mean_ratio
from model.evaluation.gate import Candidate, Champion, Gate, decide
from model.figures.evidence import evidence_figure
from tasks.backtest.fit_pool import prepare_fitting

if TYPE_CHECKING:
    from model.market.prices import Values

MONTH = 21
MARKETS = {"constant": "constant volatility", "known": "constant volatility, known", "clusters": "clusters, known"}
DAILY, BY_SEED, BY_CONFIGURATION = "a training a day, 60 days", "5 seeds on a day", "5 configurations on a day"


@dataclass(frozen=True, slots=True)
class Case:
    """Somebody who looks for a promotion in a market in which nothing can be forecast.

    kind:   how they look for it
    wanted: what they prove, in this order
    """

    kind: str
    market: str
    wanted: tuple[Wanted, ...]


def cases() -> Iterator[Case]:
    """The hundred cases, on sixty markets: on forty of them somebody tries something else besides on the first day."""
    for number in range(20):
        for market in NAIVE:
            name = f"{market} {number}"
            yield Case(DAILY, name, (Wanted(name, "anchored", DAYS),))
    for number in range(20):
        for market in ("constant", "clusters"):
            name = f"{market} {number}"
            first = Wanted(name, "anchored", DAYS)
            kind, others = (BY_SEED, SEEDS) if number % 2 else (BY_CONFIGURATION, TRIED)
            yield Case(kind, name, (first, *(Wanted(name, config) for config in others[1:])))


POWER = tuple(Wanted(series, "anchored") for series in ALL)
TUTORIAL = tuple(Wanted(series, "tutorial") for series in ALL)
SECOND_SEED = tuple(Wanted(series, "seed 1") for series in ALL)


def main() -> None:
    """Make what is not there yet, and print the tables."""
    options = _options()
    options.home.mkdir(parents=True, exist_ok=True)
    if not options.tables:
        _make(options)
    found = _Found(options.data, options.home)
    _print("Chance", _chance(found))
    _print("A lifetime of looking every day", _lifetime())
    _print("Windows in which it was better than the best naive", _windows(found))
    _print("Skill", _power(found))
    _print("The tutorial's network", _tutorial(found))
    _print("Two versions that are equal, for 100 days", _equal(found))
    _print("Processor seconds", _seconds(found))
    if options.pictures:
        _draw(found, options.pictures)


class _Found:
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


def _chance(found: _Found) -> Iterator[Sequence[str]]:
    """How often somebody who looks for it is promoted in a market in which nothing can be forecast."""
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
    """What came of a case.

    promoted: whether the gate let anything pass on any day
    odds:     the highest that were reached by any proof up to the last day
    no_skill: whether some proof ended with the word
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
    """Whether the gate lets pass what a proof says on a day.

    A version's own forecasts of its test period are taken to be those of the proof, so that nothing is refused for a
    fit that went wrong: that is as lenient as the gate can be.
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


def _lifetime() -> Iterator[Sequence[str]]:
    """What each rule ever lets pass in 1,250 sessions, of forecasters that know less than what they are beside."""
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
    mean = total / n
    error = np.sqrt(np.maximum(squares / n - mean**2, 1e-300) / np.maximum(n - 1, 1))
    tested = stdtr(np.maximum(n - 1, 1), -mean / error)[250:]
    means = [np.convolve(gain, np.ones(size), mode="valid") for size in (MONTH, 250)]
    return [*(odds >= needed for needed in (20, 10, 5)), bool((tested < 0.05).any()), *((m > 0).any() for m in means)]


def _windows(found: _Found) -> Iterator[Sequence[str]]:
    """How often a forecaster is better than the best naive one in a window of so many sessions."""
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


def _power(found: _Found) -> Iterator[Sequence[str]]:
    yield (
        "",
        "sessions",
        "verdict",
        "evidence",
        "20 to 1 after",
        "CRPS of the best naive",
        "newest 250",
        "of its own scale",
        "RMSE of the newest Close",
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


def _tutorial(found: _Found) -> Iterator[Sequence[str]]:
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


def _equal(found: _Found) -> Iterator[Sequence[str]]:
    """How often two seeds of one configuration replace each other, by the rule, and if seeds had their own proofs."""
    yield ("", "exchanges", "if each seed had its own proof", "smallest ratio of their CRPS")
    for one, other in zip(POWER, SECOND_SEED, strict=True):
        proofs = [found.proof(one), found.proof(other)]
        if proofs[0] is not None and proofs[1] is not None:
            counts = [_exchanges(proofs[0], proofs[1], same=same) for same in (True, False)]
            yield (one.market, *(str(count) for count, _ in counts), f"{counts[0][1]:.4f}")


def _exchanges(first: Proof, second: Proof, *, same: bool) -> tuple[int, float]:
    """How often one took the other's place in the newest 100 days, and the smallest ratio there was."""
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


def _seconds(found: _Found) -> Iterator[Sequence[str]]:
    yield ("", "sessions", "fits", "processor seconds")
    for one, proof in found.every(POWER):
        taken = seconds(one, found.home)
        yield (one.market, f"{proof.sessions:,}", str(len(taken)), f"{taken.sum():.1f}")
    for label, taken in cost(found.home):
        yield (label, "", "", f"{taken:.1f}")


def _draw(found: _Found, folder: Path) -> None:
    """The evidence on Facebook's Open, and on a walk."""
    for name, wanted, subject in (
        ("evidence", POWER[1], "FB Open, anchored"),
        ("evidence-walk", Wanted("constant 0", "anchored", DAYS), "A random walk, anchored"),
    ):
        proof = found.proof(wanted)
        if proof is not None and proof.evidence is not None:
            figure = evidence_figure(proof.judged.sessions, proof.evidence, proof.needed_odds(NEEDED), subject)
            figure.savefig(folder / f"{name}.png", metadata={"Software": None})


def _print(title: str, rows: Iterable[Sequence[str]]) -> None:
    print(f"\n## {title}\n")
    for number, row in enumerate(rows):
        print(f"| {' | '.join(row)} |")
        if not number:
            print(f"| --- |{' ---: |' * (len(row) - 1)}")
    sys.stdout.flush()


def _make(options: argparse.Namespace) -> None:
    looked = [case.wanted for case in cases()]
    every = list(dict.fromkeys([*POWER, *(one[0] for one in looked), *TUTORIAL, *SECOND_SEED, *chain(*looked)]))
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), prepare_fitting) as pool:
        begun = time.perf_counter()
        running = [pool.submit(make, one, options.data, options.home) for one in every]
        for number, (one, future) in enumerate(zip(every, running, strict=True), start=1):
            future.result()
            took = time.perf_counter() - begun
            print(f"{number} of {len(every)}, {took:.0f} s: {one.market}, {one.config}", file=sys.stderr, flush=True)
        pool.submit(measure_cost, options.data, options.home).result()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--tables", action="store_true", help="make nothing, and print what there is")
    parser.add_argument("--pictures", type=Path, help="the folder to draw the figures in")
    return parser.parse_args()


if __name__ == "__main__":
    main()
