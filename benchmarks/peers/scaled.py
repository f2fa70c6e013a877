"""Series as networks take them: everything divided by the level of the session before."""

import logging
import math
import warnings
from dataclasses import dataclass

import numpy as np

from benchmarks.peers.market import Series
from model.market.prices import Values

SEEDS = (1, 2, 3)
LOOKBACK = 20
LEAST = 0.05  # levels, of what a logarithm is taken
# Lightning's settings for every library that uses it: one thread of one processor, nothing on the screen or disk.
TRAINER = {
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scaled:
    """One series from the first row that has all of it, (n,) each.

    first:     that row in the series
    level:     of the session before
    change:    the target, in levels
    reach:     the session's range, in levels
    overnight: its jump, in levels
    signals:   (signals, n) what other markets say of the width, against the session's own level
    """

    first: int
    level: Values
    change: Values
    reach: Values
    overnight: Values
    signals: Values

    @property
    def movement(self) -> Values:
        """(2, n) the logarithms of the range and of the size of the jump."""
        return np.asarray(np.log(np.maximum(LEAST, [self.reach, np.abs(self.overnight)])))

    def rows(self, rows: slice) -> slice:
        """Rows of the series as rows of these arrays."""
        return slice(rows.start - self.first, rows.stop - self.first)


def scaled(series: Series) -> Scaled:
    """The series in levels; the level at t is that of t - 1, so that no session is scaled by its own movement."""
    level = np.concatenate([[math.nan], series.level[:-1]])
    first = int(np.flatnonzero(np.isfinite(level))[0])
    known = {name: (getattr(series, name) / level)[first:] for name in ("change", "reach", "overnight")}
    signals = np.reshape(series.signals, (-1, len(level)))[:, first:]
    return Scaled(first=first, level=level[first:], signals=signals, **known)


def quiet() -> None:
    """One thread, and no notices."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric", "darts", "gluonts"):
        logging.getLogger(name).setLevel(logging.ERROR)
