"""Darts: BlockRNNModel as an LSTM with quantile regression, one network over all series, the mean of three seeds."""

from collections.abc import Sequence

import numpy as np
from darts import TimeSeries
from darts.models import BlockRNNModel
from darts.utils.likelihood_models import QuantileRegression

from benchmarks.peers.market import LEVELS, Market, Quantiles
from benchmarks.peers.scaled import LOOKBACK, SEEDS, TRAINER, Scaled, quiet, scaled
from model.market.prices import Values

SETTINGS = {
    "model": "LSTM",
    "input_chunk_length": LOOKBACK,
    "output_chunk_length": 1,
    "hidden_dim": 16,
    "n_rnn_layers": 1,
    "dropout": 0,
    "batch_size": 64,
    "n_epochs": 10,
    "optimizer_kwargs": {"lr": 1e-3},
}


def block_rnn(market: Market, years: Sequence[int]) -> Quantiles:
    """Quantiles of every session of the years; the network has seen no session of its year."""
    quiet()
    known = [scaled(series) for series in market]
    made: dict[str, list[Values]] = {series.name: [] for series in market}
    for year in years:
        rows = [each.rows(series.year(year)) for series, each in zip(market, known, strict=True)]
        mean = np.mean([_fit(known, rows, seed) for seed in SEEDS], axis=0)
        for series, each, part, quantiles in zip(market, known, rows, mean, strict=True):
            made[series.name].append(quantiles * each.level[part, np.newaxis])
    return {name: np.concatenate(parts) for name, parts in made.items()}


def _fit(known: Sequence[Scaled], rows: Sequence[slice], seed: int) -> list[Values]:
    """Fitted on what came before the rows; for each series (n, 25) quantiles of the scaled change."""
    changes = [_timed(each.change[: part.stop]) for each, part in zip(known, rows, strict=True)]
    inputs = [_timed(_inputs(each)[: part.stop]) for each, part in zip(known, rows, strict=True)]
    likelihood = QuantileRegression(LEVELS.tolist())
    network = BlockRNNModel(likelihood=likelihood, random_state=seed, pl_trainer_kwargs=TRAINER, **SETTINGS)
    network.fit(
        [change[: part.start] for change, part in zip(changes, rows, strict=True)],
        past_covariates=[each[: part.start] for each, part in zip(inputs, rows, strict=True)],
    )
    return [
        network.historical_forecasts(
            change,
            past_covariates=covariates,
            start=part.start,
            start_format="position",
            retrain=False,
            predict_likelihood_parameters=True,
            verbose=False,
        ).values()
        for change, covariates, part in zip(changes, inputs, rows, strict=True)
    ]


def _inputs(known: Scaled) -> Values:
    return np.column_stack([*known.movement, np.abs(known.change), *known.signals])


def _timed(values: Values) -> TimeSeries:
    return TimeSeries.from_values(values.astype(np.float32))
