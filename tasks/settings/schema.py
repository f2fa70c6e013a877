"""The keys of mlflow.yaml, section by section, with their defaults."""

import re
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from model.config import Ticker
from model.evaluation.evidence.proof import ProofConfig
from model.evaluation.gate import Gate
from model.evaluation.monitoring import Monitoring
from model.market.security import SAMPLE, Security
from tasks.settings.address import Address, in_folder
from tasks.settings.operations import (
    AlarmSettings,
    HousekeepingSettings,
    MailSettings,
    ReportSettings,
    ScheduleSettings,
)
from tasks.settings.section import Section
from tasks.settings.series import SeriesRule

# The name of a host, or its number in the network, with or without a port.
HOST_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")

# The name of a bucket as Amazon allows it, and of folders in it that need no quoting.
IN_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")

Stage = Literal["None", "Staging", "Production", "Archived"]


def _public(place: Address) -> Address:
    """The address unchanged; ValueError where it has secret parts, since MLflow stores and shows it."""
    if place.is_secret:
        raise ValueError("a place without a user, a password or parameters, since MLflow stores and shows its address")
    return place


class TrackingSettings(Section):
    """Where runs and their artifacts are kept."""

    uri: Address = Address("sqlite:///mlflow.db")
    artifacts: Annotated[Address, AfterValidator(_public)] = Address("mlartifacts")
    experiment: str = "tomorrow"


def _number(host: str) -> str:
    """The IP address to listen on; ValueError for a name but localhost: it may mean several, some not ours."""
    try:
        return ip_address("127.0.0.1" if host.lower() == "localhost" else host.strip("[]")).compressed
    except ValueError:
        raise ValueError(
            "an IP address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them: a name may mean several"
        ) from None


def _host_name(name: str) -> str:
    """A name as a browser asks for it. None stands for all: somebody else could give one of his our address."""
    if not HOST_NAME.fullmatch(name.lower()):
        raise ValueError("a host's name such as mlflow.example.org, or with a port: mlflow.example.org:8443")
    return name.lower()


def _http(address: str) -> str:
    """The address without a slash at its end; ValueError where it is not one of a web server, without secret parts."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("the address of a server such as https://board.example.org, without a user or parameters")
    return address.rstrip("/")


class ServerSettings(Section):
    """Where a server listens; under `server`, MLflow's.

    allowed_hosts: the names, beside its address, by which it may be asked for: with any port, or with the one named
    """

    host: Annotated[str, AfterValidator(_number)] = "127.0.0.1"
    port: int = Field(5000, ge=1, le=65535)
    allowed_hosts: tuple[Annotated[str, AfterValidator(_host_name)], ...] = ()

    @property
    def address(self) -> str:
        """The address of its pages."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


class PrefectSettings(ServerSettings):
    """Where the Prefect server of `tomorrow up` listens."""

    port: int = Field(4200, ge=1, le=65535)


class ServingSettings(ServerSettings):
    """Where the board listens, and how it follows Production.

    open:           whether anybody on this machine may read pages and forecasts without the key
    look_seconds:   between two looks at what is in Production
    most_megabytes: of a request, and 16 times that of all that are being answered
    webhook:        the address of this server as an MLflow server on another machine reaches it; None: only an MLflow
                    server on this machine reports promotions
    """

    port: int = Field(8000, ge=1, le=65535)
    open: bool = False
    look_seconds: float = Field(3.0, ge=0.5, le=3600)
    most_megabytes: int = Field(8, ge=1, le=1024)
    webhook: Annotated[str, AfterValidator(_http)] | None = None

    @model_validator(mode="after")
    def _only_here(self) -> Self:
        if self.open and not ip_address(self.host).is_loopback:
            raise ValueError("a server that is open to readers without the key listens on 127.0.0.1 or ::1 alone")
        return self


def _model_name(pattern: str) -> str:
    """The pattern unchanged; ValueError unless it gives each model its own name, one that MLflow accepts."""
    try:
        name = pattern.format(ticker="TICKER", column="Open")
    except (LookupError, ValueError, AttributeError):
        name = ""
    if "TICKER" not in name or "Open" not in name or set("/:'\"`").intersection(name) or not name.isprintable():
        raise ValueError("a name with {ticker} and {column} in it, no other braces, and no slash, colon or quote")
    return pattern


class RegistrySettings(Section):
    """How registered models are named."""

    name: Annotated[str, AfterValidator(_model_name)] = "{ticker}-{column}"


class StageSettings(Section):
    """The stage of a version after its training."""

    after_training: Literal["None", "Staging"] = "Staging"


class LedgerSettings(Section):
    """Where forecasts are recorded."""

    uri: Address = Address("sqlite:///ledger.db")


Waits = Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(max_length=3)]


class RetrySettings(Section):
    """Seconds before each further try; at most three, so four tries in all.

    unavailable, rate_limited: for runs of a deployment, by the kind of error
    command_line:              for interactive commands, for every kind of error
    """

    unavailable: Waits = (60, 300, 900)
    rate_limited: Waits = (1800, 1800, 1800)
    command_line: Waits = (1, 5)


class StaleSettings(Section):
    """How many of the newest sessions the last good snapshot may lack if Yahoo is down; null: never use it."""

    train: Annotated[int, Field(ge=0)] | None = 0
    predict: Annotated[int, Field(ge=0)] | None = 1


def _store(place: str) -> str:
    """The place without a slash at its end; ValueError unless it is an absolute path, or a folder in a bucket of S3."""
    bare = place.rstrip("/")
    if not Path(bare).is_absolute() and not IN_BUCKET.fullmatch(bare):
        raise ValueError("an absolute path, or s3://BUCKET/FOLDER of letters, digits, . _ -, without user or password")
    return bare


class PriceSettings(Section):
    """How prices are fetched from Yahoo and checked, and where they are kept, if not in the state directory."""

    store: Annotated[str, AfterValidator(_store)] | None = None
    largest_move: float = Field(0.4, gt=0)
    first_trade_date: Literal["warning", "error"] = "warning"
    timeout: float = Field(20.0, gt=0)
    pause: float = Field(1.0, ge=0)
    retries: RetrySettings = RetrySettings()
    stale_sessions: StaleSettings = StaleSettings()


# In capitals, as each ticker is looked up.
Symbol = Annotated[Ticker, AfterValidator(str.upper)]


class SecuritySettings(Section):
    """One row of the table of securities.

    exchange: None: by the ticker's ending (SAP.DE: Frankfurt); New York for a ticker without one
    zone:     with `exchange: observed` the time zone of that exchange
    from_:    the first day whose prices are used, under the key `from`
    """

    ticker: Symbol
    name: str = ""
    former_tickers: tuple[Symbol, ...] = ()
    exchange: str | None = None
    zone: str | None = None
    currency: str | None = None
    kind: str | None = None
    first_session: date | None = None
    from_: date | None = Field(None, alias="from", exclude=True)  # a Security has no such field


def check_cluster(address: str) -> str:
    """The address of a Dask scheduler, as it is; ValueError says what one looks like."""
    parts = urlsplit(address)
    try:
        is_possible = parts.scheme in ("tcp", "tls") and bool(parts.hostname and parts.port)
    except ValueError:  # urllib's of an odd port
        is_possible = False
    if not is_possible or parts.username or parts.path or parts.query:
        raise ValueError("the address of a Dask scheduler: tcp://HOST:PORT or tls://HOST:PORT")
    return address


class Settings(Section):
    """Everything in mlflow.yaml, with paths made absolute."""

    home: Path = Path("var")
    tracking: TrackingSettings = TrackingSettings()
    server: ServerSettings = ServerSettings()
    prefect: PrefectSettings = PrefectSettings()
    serving: ServingSettings = ServingSettings()
    registry: RegistrySettings = RegistrySettings()
    stages: StageSettings = StageSettings()
    gate: Gate = Gate()
    proof: ProofConfig = ProofConfig()
    score: Monitoring = Monitoring()
    ledger: LedgerSettings = LedgerSettings()
    prices: PriceSettings = PriceSettings()
    alarms: AlarmSettings = AlarmSettings()
    report: ReportSettings = ReportSettings()
    mail: MailSettings = MailSettings()
    schedules: ScheduleSettings = ScheduleSettings()
    housekeeping: HousekeepingSettings = HousekeepingSettings()
    series: tuple[SeriesRule, ...] = ()
    cluster: Annotated[str, AfterValidator(check_cluster)] | None = None
    securities: tuple[SecuritySettings, ...] = ()
    extra_closures: dict[str, tuple[date, ...]] = Field(default_factory=dict)

    @property
    def tracking_uri(self) -> Address:
        """The tracking address, a relative SQLite path taken from the state directory."""
        return in_folder(Address(self.tracking.uri), self.home)

    @property
    def ledger_uri(self) -> Address:
        """The ledger's address, a relative SQLite path taken from the state directory."""
        return in_folder(Address(self.ledger.uri), self.home)

    @property
    def artifact_place(self) -> str:
        """The address where artifacts are stored; a folder as an absolute `file:` address."""
        place = str(self.tracking.artifacts)
        return place if "://" in place else (self.home / place).resolve().as_uri()

    @property
    def price_store(self) -> str:
        """Where fetched prices are kept: an absolute path, or an address of S3."""
        return self.prices.store or str(self.home)

    def model_name(self, ticker: str, column: str) -> str:
        """The name of the registered model of a security and column."""
        return self.registry.name.format(ticker=ticker, column=column)

    def closures(self, exchange: str) -> tuple[date, ...]:
        """The closures of an exchange that were announced at short notice."""
        return self.extra_closures.get(exchange, ())

    def first_day(self, ticker: str) -> date | None:
        """The first day whose prices of a security are used; None for all of them."""
        rows = (row for row in self.securities if ticker.upper() in (row.ticker, *row.former_tickers))
        return next((row.from_ for row in rows), None)

    def security(self, ticker: str, exchange: str = "XNYS") -> Security:
        """The security with that present or former ticker; on that exchange if no row names another."""
        if ticker.upper() == SAMPLE.ticker:
            return SAMPLE
        for row in self.securities:
            security = Security(**{"exchange": exchange} | row.model_dump(exclude_none=True))
            if security.has_ticker(ticker):
                return security
        return Security(ticker=ticker.upper(), exchange=exchange)
