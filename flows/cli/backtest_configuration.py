"""From the options of `tomorrow backtest` to its frozen configuration."""

from argparse import Namespace

from flows.cli.options import forecaster_config, validated
from model.backtest.plan import BacktestConfig
from model.config import ForecasterConfig
from model.errors import UsageError

# What the fields are called on the command line.
OPTIONS = {"first": "--from", "last": "--to"}


def backtest_config(options: Namespace) -> BacktestConfig:
    """Which origins there are, and what is fitted at them."""
    given = {
        "first": options.first,
        "last": options.last,
        "every": options.every,
        "refit": _refit(options.refit),
        "window": options.window,
        "seeds": options.seeds,
        "statistical": options.statistical,
    }
    names = {name: OPTIONS.get(name, f"--{name}") for name in given}
    return validated(BacktestConfig, {key: value for key, value in given.items() if value is not None}, names)


def _refit(text: str) -> int | str:
    if text in ("each", "never"):
        return text
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise UsageError(
        "--refit",
        have=repr(text),
        need="each, never, or after how many origins everything is fitted anew",
        remedy="with monthly origins --refit 12 fits once a year",
    )


def forecaster_configs(options: Namespace) -> tuple[ForecasterConfig, ...]:
    """The presets that are named, each once and each with what the options change of it."""
    named = dict.fromkeys(name.strip() for name in options.presets.split(",") if name.strip())
    if not named:
        raise UsageError(
            f"--presets {options.presets!r}",
            have="no name of a preset",
            need="at least one, with commas between several",
            remedy="for example --presets tutorial,anchored",
        )
    return tuple(forecaster_config(Namespace(**{**vars(options), "preset": name})) for name in named)
