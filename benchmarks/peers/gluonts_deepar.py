"""GluonTS: DeepAR with Student's t, one network over all series, the mean of three seeds.

Its forecasts are 100 samples, whose quantiles would cost a per cent of CRPS; here the distribution's own are used.
"""

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from gluonts.dataset.common import ListDataset
from gluonts.dataset.loader import InferenceDataLoader
from gluonts.torch.batchify import batchify
from gluonts.torch.distributions import StudentTOutput
from gluonts.torch.model.deepar import DeepAREstimator
from gluonts.torch.model.predictor import PyTorchPredictor
from lightning.pytorch import seed_everything
from scipy.stats import t as student

from benchmarks.peers.market import LEVELS, Market, Quantiles
from benchmarks.peers.scaled import LOOKBACK, SEEDS, TRAINER, Scaled, quiet, scaled
from model.market.prices import Values

START = pd.Period("2000-01-01", freq="D")  # sessions are numbered; no input is made of the date
SETTINGS: dict[str, Any] = {
    "context_length": LOOKBACK,
    "lags_seq": [1, 2, 3, 4, 5],
    "time_features": [],
    "scaling": False,
    "num_layers": 2,
    "hidden_size": 40,
    "dropout_rate": 0.2,
    "lr": 1e-3,
    "batch_size": 128,
    "num_batches_per_epoch": 50,
}
EPOCHS = 20


def deepar(market: Market, years: Sequence[int]) -> Quantiles:
    """Quantiles of every session of the years; the network has seen no session of its year."""
    quiet()
    known = [scaled(series) for series in market]
    made: dict[str, list[Values]] = {series.name: [] for series in market}
    for year in years:
        rows = [each.rows(series.year(year)) for series, each in zip(market, known, strict=True)]
        mean = np.mean([_fit(known, rows, seed) for seed in SEEDS], axis=0)
        parts = np.split(mean, np.cumsum([part.stop - part.start for part in rows])[:-1])
        for series, each, part, quantiles in zip(market, known, rows, parts, strict=True):
            made[series.name].append(quantiles * each.level[part, np.newaxis])
    return {name: np.concatenate(parts) for name, parts in made.items()}


def _fit(known: Sequence[Scaled], rows: Sequence[slice], seed: int) -> Values:
    """Fitted on what came before the rows; quantiles of the scaled change for all rows, series after series."""
    seed_everything(seed, verbose=False)
    past = [_entry(each, part.start) for each, part in zip(known, rows, strict=True)]
    ahead = [
        _entry(each, row, 1) for each, part in zip(known, rows, strict=True) for row in range(part.start, part.stop)
    ]
    with tempfile.TemporaryDirectory() as folder:
        trainer = TRAINER | {"max_epochs": EPOCHS, "default_root_dir": folder, "enable_checkpointing": True}
        estimator = DeepAREstimator(
            freq="D",
            prediction_length=1,
            num_feat_dynamic_real=2,
            distr_output=StudentTOutput(),
            trainer_kwargs=trainer,
            **SETTINGS,
        )
        predictor = estimator.train(ListDataset(past, freq="D"), cache_data=True)
    return np.concatenate(list(_quantiles(predictor, ListDataset(ahead, freq="D"))))


def _entry(known: Scaled, stop: int, ahead: int = 0) -> dict[str, Any]:
    """The changes up to row `stop`, and beside each change the movement of the session before it."""
    movement = known.movement
    before = np.column_stack([movement[:, :1], movement])  # the first change has none before it
    return {"start": START, "target": known.change[:stop], "feat_dynamic_real": before[:, : stop + ahead]}


def _quantiles(predictor: PyTorchPredictor, entries: ListDataset) -> Iterator[Values]:
    """Of Student's t as the network gives it for the next session, batch by batch."""
    network = predictor.prediction_net.eval()
    batches = InferenceDataLoader(entries, transform=predictor.input_transform, batch_size=512, stack_fn=batchify)
    with torch.no_grad():
        for batch in batches:
            inputs = {name: batch[name] for name in predictor.input_names}
            parameters, scale, *_ = network.model.unroll_lagged_rnn(**inputs)
            degrees, place, width = (parameter[:, -1:].double().numpy() for parameter in parameters)
            yield np.asarray(scale.double().numpy() * student.ppf(LEVELS, degrees, place, width))
