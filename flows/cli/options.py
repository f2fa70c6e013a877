"""The options that several commands share."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any

import typer

from flows.cli.configuration import forecaster_config, given, tickers, validated
from model.artifact.sessions_ahead import FURTHEST, checked_horizons
from model.config import PRESETS, ForecasterConfig, PriceRequest
from model.errors import PricesUnavailable
from model.market.security import SAMPLE, check_sample


def day(text: str) -> date:
    """A day as it is written: 2020-01-31."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day, such as 2020-01-31") from None


def month(text: str) -> str:
    """A month as it is written: 2020-01."""
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text):
        raise typer.BadParameter(f"{text!r} is not a month, such as 2020-01")
    return text


def number(text: str | int) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a whole number") from None


def horizons(text: str) -> str:
    """Sessions ahead as they are written, 1,5: in order, with the next session, which goes without saying."""
    try:
        return ",".join(map(str, checked_horizons(sorted({1, *map(int, text.split(","))}))))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of sessions ahead from 1 to {FURTHEST}, such as 1,5") from None


def version_number(text: str | int) -> int:
    """The number of a version: 1 or more, and what every database can hold."""
    if not 0 < number(text) < 2**31:
        raise typer.BadParameter(f"{text!r} is not a version's number, which is 1 or more")
    return number(text)


def path(text: str) -> str:
    """A file by its absolute path, since it is opened from another folder; an address stays as it is."""
    return os.path.abspath(os.path.expanduser(text)) if text and "://" not in text else text


def preset(text: str) -> str:
    """A preset's name as it is written, its file by its absolute path."""
    return path(text) if text.casefold().endswith((".yaml", ".yml")) or os.sep in text else text


def several_presets(text: str) -> str:
    """The same of several, with commas between."""
    return ",".join(preset(name.strip()) for name in text.split(","))


def option(name: str, metavar: str, text: str, **more: Any) -> Any:
    """An option with a value."""
    return typer.Option(name, metavar=metavar, help=text, **more)


def flag(name: str, text: str) -> Any:
    """An option without a value."""
    return typer.Option(name, help=text)


def count(name: str, text: str) -> Any:
    """An option whose value is a whole number."""
    return option(name, "N", text, parser=number)


Ticker = Annotated[
    list[str],
    option(
        "--ticker",
        "TICKER",
        "Ticker symbol; repeat the option for several (default: META; with csv what the files' names say).",
        show_default=False,
    ),
]
TickersFile = Annotated[
    str | None, option("--tickers-file", "FILE", "Text file with a ticker on each line.", parser=path)
]
PriceFiles = Annotated[
    list[str],
    option("--prices", "FILE", "With csv: a file or folder of daily prices; repeat for several.", parser=path),
]
AcceptRestatement = Annotated[
    bool,
    flag(
        "--accept-restatement",
        "Accept prices that contradict the earlier ones, of the last fetch or of the model's earlier version; this is "
        "recorded.",
    ),
]
From = Annotated[
    date | None,
    option("--from", "DATE", "Use only prices from that day on (YYYY-MM-DD).", parser=day),
]
ColumnName = Annotated[str, option("--column", "COLUMN", "The price that is forecast: Open, High, Low or Close.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="The registered model, such as META-Open.")]
Version = Annotated[int, typer.Argument(parser=version_number, metavar="VERSION", help="The version's number.")]
Exchange = Annotated[
    str | None,
    option(
        "--exchange",
        "CODE",
        "The exchange's calendar, such as XETR, or 24/7; `observed`: every day with prices is a session "
        "(default: by source and ticker).",
    ),
]
Reason = Annotated[str, option("--reason", "TEXT", "Why; it is recorded.", show_default=False)]
Preset = Annotated[
    str,
    option(
        "--preset",
        "NAME",
        f"The training configuration: {', '.join(PRESETS)}, one of your own, or its file, FILE.yaml.",
        parser=preset,
    ),
]
Jobs = Annotated[
    int | None, count("--jobs", "Processes to use (default: one per processor; for fits on GPUs one per GPU).")
]
ClusterAddress = Annotated[
    str | None,
    option(
        "--cluster",
        "ADDRESS",
        "Use the workers of an existing Dask cluster, tcp://HOST:PORT or tls://HOST:PORT, in place of own processes.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOptions:
    """Which prices a command works with."""

    ticker: Ticker = field(default_factory=list)
    tickers_file: TickersFile = None
    source: Annotated[str, option("--source", "yahoo|csv|sample", "Where prices come from.")] = "yahoo"
    prices: PriceFiles = field(default_factory=list)
    columns: Annotated[
        list[str],
        option(
            "--columns",
            "NAME=TITLE",
            'With csv: which column is which, where that is not recognised: close="Price USD"; repeat for several.',
        ),
    ] = field(default_factory=list)
    date_format: Annotated[
        str | None,
        option("--date-format", "FORMAT", "With csv: how dates are written, such as DD/MM/YYYY or %d/%m/%Y."),
    ] = None
    inputs: Annotated[
        list[str],
        option(
            "--inputs",
            "FILE",
            "A file with other series as inputs: a column for each, named by `series` of the configuration; repeat for "
            "several.",
            parser=path,
        ),
    ] = field(default_factory=list)
    as_of: Annotated[
        date | None,
        option("--as-of", "DATE", "Use only what was known at the close of that day (YYYY-MM-DD).", parser=day),
    ] = None
    first: From = None
    vintage: Annotated[
        str | None,
        option("--vintage", "HASH", "Yahoo only: use exactly the snapshot whose name begins with these digits."),
    ] = None
    accept_restatement: AcceptRestatement = False
    exchange: Exchange = None
    market_seed: Annotated[int | None, count("--market-seed", "With sample: which synthetic market.")] = None

    def requests(self) -> tuple[PriceRequest, ...]:
        """Which prices are wanted, of one security after the other."""
        named = tickers(self.ticker, self.tickers_file)
        if self.source == "sample":
            for ticker in named:
                check_sample(ticker)
        if self.source == "csv" and not named:
            _check_there(self.prices)  # before an error asks for the ticker of a file that is not there
        shared = given(
            source=self.source,
            columns=tuple(self.columns) or None,
            date_format=self.date_format,
            series_files=tuple(self.inputs) or None,
            as_of=self.as_of,
            first=self.first,
            vintage=self.vintage,
            accept_restatement=self.accept_restatement,
            exchange=self.exchange,
            market_seed=self.market_seed,
        )
        if self.source == "csv" and self.prices:
            from tasks.prices.sources.files.choose import choose

            wanted = [given(ticker=ticker, files=files) for ticker, files in choose(self.prices, named)]
        else:
            wanted = [given(ticker=ticker, files=tuple(self.prices)) for ticker in named or self._default()]
        requests = tuple(validated(PriceRequest, each | shared) for each in wanted)
        if self.source == "csv":
            _check_there(self.prices)
        return requests

    def _default(self) -> tuple[str | None, ...]:
        return (SAMPLE.ticker,) if self.source == "sample" else (None,)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """The options that change a preset."""

    column: ColumnName = "Open"
    epochs: Annotated[int | None, count("--epochs", "Passes over the training part.")] = None
    lookback: Annotated[int | None, count("--lookback", "Sessions in a window: the steps back in time.")] = None
    batch_size: Annotated[int | None, count("--batch-size", "Windows in a step of the optimiser.")] = None
    seed: Annotated[int | None, count("--seed", "The same seed gives the same weights on the same machine.")] = None
    horizon: Annotated[
        str | None,
        option("--horizon", "N,N", "Forecast so many sessions ahead, such as 1,5 (default: 1).", parser=horizons),
    ] = None
    assignments: Annotated[
        list[str],
        option(
            "--set",
            "KEY=VALUE",
            "Any other part of the configuration, such as training.clip_norm=1.0, network.l2=1e-4, "
            "network.kernel_initializer=he_normal or network.units=[32,32]; repeat for several.",
        ),
    ] = field(default_factory=list)

    def forecaster(self, name: str, *, shared: bool = False) -> ForecasterConfig:
        """The preset of that name, with what the options change of it; `shared`: by a network of many securities."""
        shorthands = {
            "column": self.column,
            "lookback": self.lookback,
            "horizon": None if self.horizon is None else tuple(map(int, self.horizon.split(","))),
            "training.epochs": self.epochs,
            "training.batch_size": self.batch_size,
            "training.seed": self.seed,
            "training.shared": "shared" if shared else None,
        }
        return forecaster_config(name, given(**shorthands), self.assignments)


def _check_there(files: Sequence[str]) -> None:
    """PricesUnavailable where there is neither a file nor a folder of that name."""
    for file in files:
        if "://" not in file and not os.path.lexists(file):
            raise PricesUnavailable(
                file,
                have="no such file",
                need="a file that can be read",
                remedy="correct the path given with --prices",
                source="csv",
            )
