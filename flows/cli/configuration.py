"""From the values of options to the frozen configuration of a flow, and the process made ready for it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from model.config import PRESETS, Column, ForecasterConfig, Frozen, PriceRequest
from model.errors import ConfigurationError, UsageError, did_you_mean
from model.presets import as_written

if TYPE_CHECKING:
    from tasks.settings import Settings

# How many characters of a wrong text are shown.
SHOWN = 100
# More processes than this take all of a machine's memory, unless it has many processors.
MOST_JOBS = 64

# The headings of the column of tickers in a list that is a table.
TICKER_TITLES = ("ticker", "tickers", "symbol", "symbols", "ticker symbol")
_SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.^=&_-]*")

# The options that set these keys.
OPTIONS = {
    "source": "--source",
    "ticker": "--ticker",
    "exchange": "--exchange",
    "columns": "--columns",
    "date_format": "--date-format",
    "vintage": "--vintage",
    "market_seed": "--market-seed",
    "column": "--column",
    "lookback": "--lookback",
    "horizon": "--horizon",
    "training.epochs": "--epochs (training.epochs)",
    "training.batch_size": "--batch-size (training.batch_size)",
    "training.seed": "--seed (training.seed)",
    "test_month": "--test-month",
    "test_sessions": "--test-sessions",
}

Config = TypeVar("Config", bound=Frozen)


def parse_column(name: str) -> Column:
    """The price that is forecast."""
    return validated(ForecasterConfig, {"column": name}).column


def jobs(wanted: int | None, *, fits: bool) -> int:
    """The number of processes: the given one, else one for each processor that we may use.

    fits: whether they fit networks; then one for each graphics processor, if there is any
    """
    from tasks.system.cluster.processors import processes_to_fit, usable_processors

    most = max(MOST_JOBS, 2 * usable_processors())
    if wanted is not None and not 1 <= wanted <= most:
        remedy = "give a number in that range; more processes than processors gain nothing"
        raise UsageError("--jobs", have=str(wanted), need=f"at least one process, {most} at most", remedy=remedy)
    return wanted or (processes_to_fit() if fits else usable_processors())


def cluster_address(wanted: str | None, settings: "Settings") -> str | None:
    """The existing cluster to use, as it is given, else as the settings name it; None: processes of our own.

    UsageError where it is no address; ConfigurationError where its workers could not reach Prefect's server.
    """
    from tasks.settings import check_cluster

    address = wanted or settings.cluster
    if address is None:
        return None
    try:
        check_cluster(address)
    except ValueError as error:
        raise UsageError(
            "--cluster",
            have=repr(address),
            need=str(error),
            remedy="give the address that `dask scheduler` shows when it starts",
        ) from None
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        raise ConfigurationError(
            f"the cluster at {address}",
            have="no PREFECT_API_URL: Prefect's server would be one of this command's own",
            need="a Prefect server that the cluster's workers reach, since each reports its task runs to it",
            remedy="start one (tomorrow up), and set PREFECT_API_URL to its address",
        )
    return address


def prepare(wanted: Sequence[PriceRequest] = ()) -> "tuple[Settings, tuple[PriceRequest, ...]]":
    """Read the settings and set up this process; a wrong request for prices fails before anything starts.

    Of several requests for one security, under its present ticker or another, the first is kept.
    """
    from tasks.settings import read_settings
    from tasks.system.prefect_server import prepare_environment
    from tasks.system.state_directory import keep_private

    settings = read_settings()
    keep_private(settings)
    prepare_environment(settings)
    if not wanted:
        return settings, ()
    from flows.runs.clock import now
    from tasks.prices.request import resolve, wanted_security

    one = wanted[0]
    # Of several, each fails later by itself. Without a day or an exchange no calendar has to be loaded.
    if len(wanted) == 1 and (one.as_of or one.first or one.exchange):
        resolve(one, settings, now())
    first: dict[str, PriceRequest] = {}
    for request in wanted:
        first.setdefault(wanted_security(request, settings).ticker, request)
    return settings, tuple(first.values())


def given(**options: object) -> dict[str, Any]:
    """The options that were given a value."""
    return {name: value for name, value in options.items() if value is not None}


def forecaster_config(name: str, changes: Mapping[str, object], assignments: Sequence[str]) -> ForecasterConfig:
    """A preset with some dotted keys changed; assignments are texts as `--set` takes them.

    name: of a built-in preset, of one of one's own, or a preset's file
    """
    raw = as_written(_preset(name))
    for key, value in changes.items():
        _put(raw, key, value)
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        if not separator:
            raise UsageError(
                f"--set {assignment}",
                have="no `=`",
                need="KEY=VALUE",
                remedy="for example --set training.clip_norm=1.0",
            )
        _put(raw, key, _value(assignment, text))
    return validated(ForecasterConfig, raw)


def _preset(name: str) -> ForecasterConfig:
    """The preset of that name, or in that file; the settings are read only for one of one's own."""
    if name in PRESETS:
        return PRESETS[name]
    from tasks.settings.own_presets import preset_named

    return preset_named(name).config


def _put(raw: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key; an unknown last part is left to the validation, which names it."""
    *path, last = key.split(".")
    for part in path:
        if not isinstance(raw.get(part), dict):
            raise UsageError(
                f"--set {key}",
                have=f"no part of the configuration called {part!r}{_near_part(part, key, raw)}",
                need=f"one of {', '.join(name for name, inner in raw.items() if isinstance(inner, dict))}",
                remedy="see docs/configuration.md",
            )
        raw = raw[part]
    raw[last] = value


def _value(assignment: str, text: str) -> Any:
    """What a text says as YAML."""
    import yaml

    try:
        return _number(yaml.safe_load(text))
    # YAML raises the last two for a day such as 2020-13-45, and for a thousand brackets.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(
            f"--set {assignment if len(assignment) < SHOWN else f'{assignment[:SHOWN]}...'}",
            have=f"no value: {getattr(error, 'problem', None) or type(error).__name__}",
            need="KEY=VALUE, with a number, a word or a list as YAML writes it",
            remedy="for example --set training.clip_norm=1.0, --set network.units=[32,32]",
        ) from None


def _number(value: Any) -> Any:
    """The number that a person means by 1e-4, which YAML reads as text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def validated(kind: type[Config], raw: dict[str, Any], options: Mapping[str, str] | None = None) -> Config:
    """A configuration from its values; UsageError names the option, or the key if no option sets it."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        from tasks.settings.faults import contradiction, have_and_need

        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"]) or kind.__name__
        if said := contradiction(fault):
            raise UsageError(
                "options that exclude each other",
                have=said,
                need="a configuration whose parts fit together",
                remedy="change or leave out one of them; see docs/configuration.md",
                key=key,
            ) from None
        have, need = have_and_need(kind, fault)
        unknown = fault["type"] == "extra_forbidden"
        raise UsageError(
            (options or {}).get(key) or OPTIONS.get(key, key),
            have=have,
            need=need,
            remedy="see docs/configuration.md for every key" if unknown else "give another value",
            key=key,
        ) from None


def _near_part(part: str, key: str, raw: Mapping[str, Any]) -> str:
    """`. Did you mean ...?` for a part of the configuration whose name is spelt nearly right."""
    rest = key.partition(f"{part}.")[2]
    names = {name: f"{name}.{rest}" for name, inner in raw.items() if isinstance(inner, dict)}
    return did_you_mean(part, names, names) if part else ""


def tickers(named: Sequence[str], file: str | None) -> tuple[str, ...]:
    """The tickers that are named, one after the other or in a file."""
    return (*named, *(_read_tickers(file) if file else ()))


def _read_tickers(file: str) -> tuple[str, ...]:
    """The tickers in the order of the file, as people keep them: on lines of their own, or the first of a table."""
    try:
        lines = Path(file).expanduser().read_text(encoding="utf-8-sig").splitlines()
        have = "no ticker in it"
    except (OSError, UnicodeDecodeError) as error:
        lines, have = [], getattr(error, "strerror", None) or str(error)
    rows = [_cells(line) for line in lines if line.partition("#")[0].strip(" \t,;")]
    place = next((i for i, cell in enumerate(rows[0]) if cell.lower() in TICKER_TITLES), None) if rows else None
    if place is not None:
        found = tuple(row[place] for row in rows[1:] if place < len(row) and row[place])
    else:
        found = tuple(ticker for row in rows for ticker in (row if all(map(_SYMBOL.fullmatch, row)) else row[:1]))
    if not found:
        raise UsageError(
            f"--tickers-file {file}",
            have=have,
            need="a text file with a ticker on each line",
            remedy="correct the path, or name tickers with --ticker",
        )
    return found


def _cells(line: str) -> list[str]:
    """What stands on a line between commas, semicolons or tabs, up to a #."""
    return [cell for part in re.split(r"[,;\t]", line.partition("#")[0]) if (cell := part.strip(" \"'"))]
