"""Nixtla's neuralforecast: its LSTM with MQLoss, one network over all series, the mean of three seeds.

Its window scalers would remove the level of volatility, and early stopping keeps the last weights: neither is used.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MQLoss
from neuralforecast.models import LSTM

from benchmarks.peers.market import LEVELS, Market, Quantiles
from benchmarks.peers.scaled import LOOKBACK, SEEDS, TRAINER, Scaled, quiet, scaled
from model.market.prices import Values

INPUTS = ["reach", "overnight", "size"]
SIGNAL = "signal"
SETTINGS = {
    "input_size": LOOKBACK,
    "encoder_n_layers": 1,
    "encoder_hidden_size": 16,
    "decoder_hidden_size": 16,
    "decoder_layers": 1,
    "max_steps": 1000,
    "learning_rate": 3e-3,
    "windows_batch_size": 256,
    "scaler_type": "identity",
}


def lstm(market: Market, years: Sequence[int]) -> Quantiles:
    """Quantiles of every session of the years; the network has seen no session of its year."""
    quiet()
    known = {series.name: scaled(series) for series in market}
    made: dict[str, list[Values]] = {series.name: [] for series in market}
    for year in years:
        rows = {series.name: known[series.name].rows(series.year(year)) for series in market}
        table = pd.concat(_frame(name, known[name], part.stop) for name, part in rows.items())
        # All of them trade on the same days.
        [sessions] = {part.stop - part.start for part in rows.values()}
        fits = [_fit(table, sessions, seed) for seed in SEEDS]
        for name, part in rows.items():
            quantiles = np.mean([fit[name] for fit in fits], axis=0)
            made[name].append(quantiles * known[name].level[part, np.newaxis])
    return {name: np.concatenate(parts) for name, parts in made.items()}


def _frame(name: str, known: Scaled, stop: int) -> pd.DataFrame:
    """The series up to row `stop`, one row a session, numbered."""
    columns = {"y": known.change, "reach": known.reach, "overnight": known.overnight, "size": np.abs(known.change)}
    columns |= {f"{SIGNAL}{number}": values for number, values in enumerate(known.signals)}
    table = pd.DataFrame(columns).iloc[:stop]
    return table.assign(unique_id=name, ds=np.arange(len(table)))


def _fit(table: pd.DataFrame, sessions: int, seed: int) -> Quantiles:
    """Fitted on all but the newest sessions; for each series (sessions, 25) quantiles of the scaled change."""
    loss = MQLoss(quantiles=LEVELS.tolist())
    inputs = [*INPUTS, *(name for name in table.columns if name.startswith(SIGNAL))]
    network = LSTM(h=1, hist_exog_list=inputs, loss=loss, random_seed=seed, alias="q", **SETTINGS, **TRAINER)
    rolled = NeuralForecast(models=[network], freq=1).cross_validation(
        table, n_windows=None, test_size=sessions, step_size=1
    )
    columns = [name for name in rolled.columns if name.startswith("q-")]
    return {name: part.sort_values("ds")[columns].to_numpy() for name, part in rolled.groupby("unique_id")}
