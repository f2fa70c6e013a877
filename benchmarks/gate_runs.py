"""The proofs behind docs/gate-measured.md: each made as a training makes it, and kept in a file.

A run that was stopped continues. A configuration that is shown to have no skill is not fitted further, as in a
training.
"""

import json
import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.evidence_runs import ALL, prices_of
from benchmarks.walks import NAIVE, TRUTH, Walk, walk
from model.config import PRESETS, ForecasterConfig
from model.evaluation.evidence.proof import Proof, ProofConfig
from model.evaluation.gate import Gate

if TYPE_CHECKING:
    from model.backtest.proof import PeriodForecasts
    from model.market.prices import Prices, Values

AS_OF = date(2020, 1, 31)
# The sessions on the first day, of which a proof begins with the newest 1,250; the days that follow.
FIRST_DAY, DAYS = 1750, 60
NEEDED, WANTED = Gate().needed, ProofConfig()
TRUE_NAME = "true_distribution"

# Configurations that somebody might try one after the other on one day.
TRIED = ("anchored", "lookback 10", "8 units", "learning rate 0.01", "8 epochs and the whole shift")
SEEDS = ("anchored", *(f"seed {seed}" for seed in range(1, 5)))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A proof that is wanted: of a configuration on a market, such as `FB Close` or `clusters 7`.

    days: on how many days, the first included, it is looked at; each day adds a session
    """

    market: str
    config: str
    days: int = 1

    @property
    def column(self) -> str:
        """The column that is forecast."""
        if self.market in ALL:
            return self.market.split()[1]
        return "Close" if int(self.market.split()[1]) % 2 else "Open"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """What a proof forecast, as it is kept.

    start:     the row of its first session
    values:    (n,) dollars
    quantiles: (n, 25) dollars
    alone:     (n, 25) dollars, of the market's scale without the network
    seconds:   (periods,) of processor time, each with its fit
    """

    start: int
    values: "Values"
    quantiles: "Values"
    alone: "Values"
    seconds: "Values"


def make(wanted: Wanted, data: Path, home: Path) -> None:
    """Make a proof, if it is not kept yet."""
    file = _file(wanted, home)
    if not file.exists():
        kept = _make(wanted, data)
        partial = file.with_suffix(".partial.npz")
        np.savez(partial, **{name: getattr(kept, name) for name in Kept.__slots__})
        partial.replace(file)


def read(wanted: Wanted, data: Path, home: Path) -> Proof | None:
    """A proof that was made; None where it was not."""
    return _proof(wanted, data, _kept(wanted, home)) if _file(wanted, home).exists() else None


def seconds(wanted: Wanted, home: Path) -> "Values":
    """The processor seconds of each period of a proof that was made."""
    return _kept(wanted, home).seconds


def cost(home: Path) -> "list[tuple[str, float]]":
    """The processor seconds of FB Open's proof as a training makes it: the first time, again, and on the day after."""
    file = home / "cost.json"
    return [(str(label), float(taken)) for label, taken in json.loads(file.read_text())] if file.exists() else []


def measure_cost(data: Path, home: Path) -> None:
    """Measure it, if it was not measured yet; in a separate state directory, which is removed."""
    from tasks.backtest.proofs import prove
    from tasks.settings import read_settings
    from tasks.tracking.client import open_tracking

    if (home / "cost.json").exists():
        return
    prices, config = prices_of("FB", data).until(AS_OF), config_of(Wanted("FB Open", "anchored"))
    taken = []
    with TemporaryDirectory(prefix="tomorrow-") as folder:
        settings = read_settings({**os.environ, "TOMORROW_HOME": folder})
        tracking = open_tracking(settings)
        for label, known in (
            ("FB Open, the first proof", prices.rows(0, len(prices) - 1)),
            ("again", prices.rows(0, len(prices) - 1)),
            ("on the day after", prices),
        ):
            begun = time.process_time()
            prove(tracking, known, config, datetime.now(UTC))
            taken.append((label, time.process_time() - begun))
    (home / "cost.json").write_text(json.dumps(taken))


def _file(wanted: Wanted, home: Path) -> Path:
    return home / f"{wanted.market} {wanted.config} {wanted.days}.npz".replace(" ", "_")


def _kept(wanted: Wanted, home: Path) -> Kept:
    with np.load(_file(wanted, home)) as kept:
        arrays = {name: kept[name] for name in Kept.__slots__ if name != "start"}
        return Kept(start=int(kept["start"]), **arrays)


def config_of(wanted: Wanted) -> ForecasterConfig:
    """The configuration of a wanted proof."""
    config = PRESETS["tutorial" if wanted.config == "tutorial" else "anchored"]
    config = config.model_copy(update={"column": wanted.column})
    if wanted.config.startswith("seed"):
        return _with_training(config, seed=int(wanted.config.split()[1]))
    if wanted.config == TRIED[1]:
        return config.model_copy(update={"lookback": 10})
    if wanted.config == TRIED[2]:
        return config.model_copy(update={"network": config.network.model_copy(update={"units": (8,)})})
    if wanted.config == TRIED[3]:
        return _with_training(config, learning_rate=0.01)
    if wanted.config == TRIED[4]:
        return _with_training(config, epochs=8).model_copy(update={"shrinkage": 1.0})
    return config


def _with_training(config: ForecasterConfig, **changes: float) -> ForecasterConfig:
    return config.model_copy(update={"training": config.training.model_copy(update=changes)})


def _make(wanted: Wanted, data: Path) -> Kept:
    import keras

    from model.backtest.proof import NOTHING, first_row, fit_period, forecast_period, periods

    prices, config = _prices(wanted, data), config_of(wanted)
    start = first_row(prices.rows(0, len(prices) - wanted.days + 1), config, WANTED)
    if start is None:
        raise ValueError(f"{wanted.market} has too few sessions for a proof")
    made: list[PeriodForecasts] = []
    taken: list[float] = []
    for period in periods(prices, start, WANTED):
        begun = time.process_time()
        keras.backend.clear_session()
        made.append(forecast_period(fit_period(prices, period, config), prices, period, NOTHING))
        taken.append(time.process_time() - begun)
        kept = Kept(
            start=start,
            values=np.concatenate([each.made.values for each in made]),
            quantiles=np.concatenate([each.made.quantiles for each in made]),
            alone=np.concatenate([each.alone.quantiles for each in made]),
            seconds=np.array(taken),
        )
        if len(kept.values) < NEEDED.sessions:
            continue
        proof = _proof(wanted, data, kept)
        if proof.verdict(NEEDED) == "no skill" and proof.odds < proof.needed_odds(NEEDED):
            break
    return kept


def _proof(wanted: Wanted, data: Path, kept: Kept) -> Proof:
    """The proof from kept forecasts, beside the market's naive ones."""
    from model.backtest.proof import PeriodForecasts, assemble_proof
    from model.forecaster.forecasts import Forecasts

    made = Forecasts(values=kept.values, quantiles=kept.quantiles)
    alone = Forecasts(values=kept.values, quantiles=kept.alone)
    tried = TRIED.index(wanted.config) + 1 if wanted.config in TRIED else 1
    forecasts = [PeriodForecasts(made=made, alone=alone)]
    proof = assemble_proof(_prices(wanted, data), kept.start, forecasts, config_of(wanted), tried)
    if NAIVE.get(wanted.market.split()[0]) != TRUTH:
        return proof
    truth = _walk(wanted).truth(wanted.column, kept.start)[: len(kept.values)]
    return replace(proof, judged=replace(proof.judged, naive_quantiles={TRUE_NAME: truth}))


@cache
def _walk(wanted: Wanted) -> Walk:
    kind, number = wanted.market.split()
    return walk(kind, int(number), FIRST_DAY + wanted.days - 1)


@cache
def _prices(wanted: Wanted, data: Path) -> "Prices":
    if wanted.market in ALL:
        return prices_of(wanted.market.split()[0], data).until(AS_OF)
    return _walk(wanted).prices


def until_day(proof: Proof, day: int) -> Proof:
    """A walk's proof as it stood on a day, counted from 0; one that had ended before stays as it is."""
    known = WANTED.sessions + day
    return proof if known >= proof.sessions else replace(proof, judged=proof.judged.part(slice(known)))
