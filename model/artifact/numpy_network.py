"""A network computed by NumPy alone: one forecast needs neither Keras nor the seconds and memory that loading it takes.

This file is a part of every registered model, and stands alone as the other files here do. It knows the layers
that numpy_export.py finds in a Keras network; a network with any other layer is computed by Keras itself.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
# How many windows are computed at a time; the number changes no digit, only the memory.
AT_ONCE = 512
# The weights of a layer by name: `kernel` and `bias`, and for an LSTM layer `recurrent`.
Layer = Mapping[str, npt.NDArray[Any]]


class NumpyNetwork:
    """Members side by side, each a stack of LSTM layers with one dense layer, as Keras defines them.

    It computes in double precision: Keras's float32 outputs differ from it by Keras's own rounding. Each window is
    computed by itself: how many others are given changes no digit of an output.
    """

    each_by_itself = True

    def __init__(self, members: Sequence[Sequence[Layer]]) -> None:
        self._members = [
            [{name: np.asarray(weights, dtype=np.float64) for name, weights in layer.items()} for layer in member]
            for member in members
        ]

    @property
    def members(self) -> list[list[Layer]]:
        """The weights of each member's layers, as float32, which they were fitted in."""
        return [
            [{name: weights.astype(np.float32) for name, weights in layer.items()} for layer in member]
            for member in self._members
        ]

    def predict_on_batch(self, windows: npt.ArrayLike) -> Values:
        """(n, lookback, features) -> (n, members * outputs), one member's outputs after the other's."""
        inputs = np.asarray(windows, dtype=np.float64)
        parts = [inputs[at : at + AT_ONCE] for at in range(0, len(inputs), AT_ONCE)] or [inputs]
        return np.vstack([np.hstack([_output(member, part) for member in self._members]) for part in parts])

    def save(self, file: Path) -> None:
        """Write the weights in NumPy's own format, with nothing pickled, as float32, which they were fitted in."""
        arrays = {
            f"{m}/{k}/{name}": weights
            for m, member in enumerate(self.members)
            for k, layer in enumerate(member)
            for name, weights in layer.items()
        }
        np.savez(file, **arrays)  # type: ignore[arg-type] # NumPy's types take the names for its options

    @classmethod
    def load(cls, file: Path) -> "NumpyNetwork":
        """Read what `save` wrote."""
        with np.load(file, allow_pickle=False) as stored:
            placed = sorted((int(m), int(k), name) for m, k, name in (key.split("/") for key in stored.files))
            layers = [
                (m, {name: stored[f"{m}/{k}/{name}"] for _, _, name in parts})
                for (m, k), parts in groupby(placed, key=lambda place: place[:2])
            ]
        return cls([[layer for _, layer in member] for _, member in groupby(layers, key=lambda each: each[0])])


def _output(layers: Sequence[Layer], inputs: Values) -> Values:
    """(n, lookback, features) -> (n, outputs): LSTM layers pass on sequences, the dense layer takes the last step."""
    sequence = inputs
    for layer in layers[:-1]:
        sequence = _lstm(layer, sequence)
    dense = layers[-1]
    return np.asarray((sequence[:, -1:] @ dense["kernel"])[:, 0] + dense["bias"], dtype=np.float64)


def _lstm(layer: Layer, sequence: Values) -> Values:
    """(n, lookback, features) -> (n, lookback, units); the gates in Keras's order: input, forget, candidate, output.

    Each product is one of stacked matrices, a row for each window: of a single matrix with a row for each window, the
    rounding would depend on the number of rows.
    """
    recurrent = layer["recurrent"]
    units = len(recurrent)
    # What does not depend on the step before, for all steps at once: (n, lookback, 4 * units).
    driven = sequence @ layer["kernel"] + layer["bias"]
    outputs = np.empty((*sequence.shape[:2], units))
    state, carry = np.zeros((2, len(sequence), 1, units))
    for step in range(sequence.shape[1]):
        gates = driven[:, step : step + 1] + state @ recurrent
        taken, kept, given = (_sigmoid(gates[:, :, k * units : (k + 1) * units]) for k in (0, 1, 3))
        carry = kept * carry + taken * np.tanh(gates[:, :, 2 * units : 3 * units])
        state = given * np.tanh(carry)
        outputs[:, step] = state[:, 0]
    return outputs


def _sigmoid(values: Values) -> Values:
    """1 / (1 + exp(-values)), written so that it never overflows."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)), dtype=np.float64)
