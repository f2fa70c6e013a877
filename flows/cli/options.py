"""From the command line's options to the frozen configuration of a flow."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from flows.cli.ticker_file import read_tickers
from model.config import Column, EvaluationConfig, ForecasterConfig, Frozen, PriceRequest, known_keys, preset
from model.errors import UsageError
from model.market.security import SAMPLE

Config = TypeVar("Config", bound=Frozen)


def tickers(options: Namespace) -> tuple[str, ...]:
    """The tickers that are named, one after the other or in a file."""
    return (*options.ticker, *(read_tickers(options.tickers_file) if options.tickers_file else ()))


def price_requests(options: Namespace) -> tuple[PriceRequest, ...]:
    """Which prices are wanted, of one security after the other."""
    named = tickers(options) or ((SAMPLE.ticker,) if options.source == "sample" else (None,))
    if len(named) > 1 and options.source != "yahoo":
        raise UsageError(
            f"--ticker {named[1]}",
            have=f"several securities from the source {options.source}",
            need="one, whose prices the source gives",
            remedy="run it once for each, or use --source yahoo",
        )
    return tuple(_price_request(options, ticker) for ticker in named)


def _price_request(options: Namespace, ticker: str | None) -> PriceRequest:
    given = {
        "ticker": ticker,
        "source": options.source,
        "files": tuple(options.prices),
        "as_of": options.as_of,
        "vintage": options.vintage,
        "accept_restatement": options.accept_restatement,
        "market_seed": options.market_seed,
    }
    return validated(PriceRequest, {key: value for key, value in given.items() if value is not None})


def forecaster_config(options: Namespace) -> ForecasterConfig:
    """The preset, with what the options change of it."""
    raw = preset(options.preset).model_dump()
    raw["column"] = options.column
    shorthands = {
        "lookback": options.lookback,
        "training.epochs": options.epochs,
        "training.batch_size": options.batch_size,
        "training.seed": options.seed,
    }
    for key, value in shorthands.items():
        if value is not None:
            _put(raw, key, value)
    for assignment in options.set:
        key, separator, text = assignment.partition("=")
        if not separator:
            raise UsageError(
                f"--set {assignment}",
                have="no `=`",
                need="KEY=VALUE",
                remedy="for example --set training.clip_norm=1.0",
            )
        _put(raw, key, _number(yaml.safe_load(text)))
    return validated(ForecasterConfig, raw)


def evaluation_config(options: Namespace) -> EvaluationConfig:
    """Which sessions the forecaster is judged on."""
    given = {"test_month": options.test_month, "test_sessions": options.test_sessions}
    return validated(EvaluationConfig, {key: value for key, value in given.items() if value is not None})


def column(name: str) -> Column:
    """The price that is forecast."""
    return validated(ForecasterConfig, {"column": name}).column


def jobs(options: Namespace) -> int:
    """The number of processes: as it is said, else one for each processor that we may use."""
    from tasks.backtest.fit_pool import usable_processors

    wanted: int | None = options.jobs
    if wanted is not None and wanted < 1:
        raise UsageError("--jobs", have=str(wanted), need="at least one process", remedy="give a number from 1 on")
    return wanted or usable_processors()


def _put(raw: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key; an unknown last part is left to the validation, which names it."""
    *path, last = key.split(".")
    for part in path:
        if not isinstance(raw.get(part), dict):
            raise UsageError(
                f"--set {key}",
                have=f"no part of the configuration called {part!r}",
                need=f"one of {', '.join(name for name, inner in raw.items() if isinstance(inner, dict))}",
                remedy="see docs/configuration.md",
            )
        raw = raw[part]
    raw[last] = value


def _number(value: Any) -> Any:
    """YAML takes 1e-4 for a text; nobody who writes it means one."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def validated(kind: type[Config], raw: dict[str, Any], options: Mapping[str, str] | None = None) -> Config:
    """A configuration from its values; UsageError names the option, or the key where it has none of its own."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"]) or kind.__name__
        unknown = fault["type"] == "extra_forbidden"
        raise UsageError(
            (options or {}).get(key, key),
            have="no such key" if unknown else repr(fault["input"]),
            need=f"one of {', '.join(known_keys(kind, fault['loc']))}" if unknown else fault["msg"],
            remedy="correct the option",
            key=key,
        ) from None
