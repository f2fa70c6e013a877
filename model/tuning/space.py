"""What a tuning may change of a preset, and to what: the one place that says it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model.config import ForecasterConfig
from model.errors import UsageError
from model.presets import merged

Value = float | int | None

# Part of a study's identity: another space is another study.
VERSION = 1
# By dotted key, in the order in which a trial draws them. `network.units` is the size of each layer.
CHOICES: dict[str, tuple[Value, ...]] = {
    "lookback": (10, 15, 20, 30, 40),
    "shrinkage": (0.0, 0.25, 0.5, 0.75, 1.0),
    "network.units": (8, 12, 16, 24, 32),
    "network.dropout": (0.0, 0.1, 0.2, 0.3),
    "training.batch_size": (32, 64, 128),
    "training.epochs": (8, 16, 24, 32),
    "training.patience": (3, 6, 10),
}
# The learning rate is drawn between two, on a logarithmic scale, to so many digits.
LEARNING_RATE, LEAST_RATE, LARGEST_RATE, DIGITS = "training.learning_rate", 0.0005, 0.02, 3


@dataclass(frozen=True, slots=True)
class Space:
    """What the trials of one base draw from: the choices above, and the base's own values."""

    choices: Mapping[str, tuple[Value, ...]]
    least_rate: float
    largest_rate: float


def space_around(base: ForecasterConfig) -> Space:
    """The space of a base; UsageError where it cannot be tuned."""
    check_tunable(base)
    own = values_of(base)
    rate = float(own[LEARNING_RATE] or 0)
    choices = {}
    for key, known in CHOICES.items():
        given = {*known, own[key]}
        numbers = sorted(value for value in given if value is not None)
        choices[key] = (*([None] if None in given else []), *numbers)
    return Space(choices=choices, least_rate=min(LEAST_RATE, rate), largest_rate=max(LARGEST_RATE, rate))


def check_tunable(base: ForecasterConfig) -> None:
    """UsageError where a preset cannot be tuned, and why."""
    why = None
    if base.inputs != "changes":
        why = "it forecasts the price's level, to the letter of a tutorial or in its manner"
    elif base.training.shared != "own":
        why = "its network is fitted on many securities"
    elif len(set(base.network.units)) > 1:
        why = "its layers differ in size"
    if why is not None:
        raise UsageError(
            f"preset {base.preset!r}",
            have=why,
            need="one with inputs: changes, networks of its own, and layers of one size",
            remedy="tune anchored, or a preset of your own that starts from it",
        )


def values_of(config: ForecasterConfig) -> dict[str, Value]:
    """The values of a configuration that a tuning may change, by dotted key."""
    return {
        "lookback": config.lookback,
        "shrinkage": config.shrinkage,
        "network.units": config.network.units[0],
        "network.dropout": config.network.dropout,
        "training.batch_size": config.training.batch_size,
        "training.epochs": config.training.epochs,
        "training.patience": config.training.patience,
        LEARNING_RATE: config.training.learning_rate,
    }


def with_values(base: ForecasterConfig, values: Mapping[str, Value]) -> ForecasterConfig:
    """The base with these values."""
    raw: dict[str, Any] = {}
    for key, value in values.items():
        part, _, name = key.rpartition(".")
        inside = raw.setdefault(part, {}) if part else raw
        inside[name] = (value,) * len(base.network.units) if key == "network.units" else value
    return ForecasterConfig.model_validate(merged(base.model_dump(), raw))


def rounded(rate: float) -> float:
    """A learning rate to the digits that a file of it shows."""
    return float(f"{rate:.{DIGITS}g}")
