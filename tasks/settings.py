"""mlflow.yaml and the environment, as settings; the only reader of either.

The file is the one that TOMORROW_CONFIG names, else the one beside the packages. TOMORROW_HOME moves the state
directory, MLFLOW_TRACKING_URI and TOMORROW_LEDGER_URI override the two databases.
"""

import os
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.config import known_keys
from model.errors import ConfigurationError
from model.evaluation.gate import Gate
from model.evaluation.monitoring import Monitoring
from model.market.security import SAMPLE, Security

Stage = Literal["None", "Staging", "Production", "Archived"]


class Section(BaseModel):
    """A part of mlflow.yaml: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TrackingSettings(Section):
    """Where runs and their artifacts are kept."""

    uri: str = "sqlite:///mlflow.db"
    artifacts: str = "mlartifacts"
    experiment: str = "tomorrow"


class ServerSettings(Section):
    """Where MLflow's server listens."""

    host: str = "127.0.0.1"
    port: int = Field(5000, ge=1, le=65535)


class PrefectSettings(Section):
    """Where the Prefect server of `tomorrow up` listens."""

    host: str = "127.0.0.1"
    port: int = Field(4200, ge=1, le=65535)


class RegistrySettings(Section):
    """How registered models are named."""

    name: str = "{ticker}-{column}"


class StageSettings(Section):
    """Where a version goes when it is trained."""

    after_training: Literal["None", "Staging"] = "Staging"


class LedgerSettings(Section):
    """Where forecasts are recorded."""

    uri: str = "sqlite:///ledger.db"


Waits = Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(max_length=3)]


class RetrySettings(Section):
    """Seconds before each further try; three at most, so that there are no more than four tries in all.

    unavailable, rate_limited: for runs of a deployment, by what went wrong
    command_line:              for somebody who waits, whatever went wrong
    """

    unavailable: Waits = (60, 300, 900)
    rate_limited: Waits = (1800, 1800, 1800)
    command_line: Waits = (1, 5)


class StaleSettings(Section):
    """How many of the newest sessions the last good snapshot may lack when Yahoo is down; null: never use it."""

    train: Annotated[int, Field(ge=0)] | None = 0
    predict: Annotated[int, Field(ge=0)] | None = 1


class PriceSettings(Section):
    """How Yahoo is asked, and what is made of its answers."""

    largest_move: float = Field(0.4, gt=0)
    first_trade_date: Literal["warning", "error"] = "warning"
    timeout: float = Field(20.0, gt=0)
    pause: float = Field(1.0, ge=0)
    retries: RetrySettings = RetrySettings()
    stale_sessions: StaleSettings = StaleSettings()


AlarmKind = Literal["flow.failed", "prices.stale", "prices.restated", "model.no-skill", "stack.part-down"]


class AlarmSettings(Section):
    """Which alarms the webhook is told, and the seconds that it has to take one."""

    kinds: tuple[AlarmKind, ...] = get_args(AlarmKind)
    timeout: float = Field(5.0, gt=0)


class ScheduleSettings(Section):
    """What is held to be late, and how much of what was missed is caught up.

    late_minutes: a run that starts so many minutes after it was due says so
    catch_up:     the most sessions that are caught up at once, the newest of those that were missed
    """

    late_minutes: float = Field(30, ge=0)
    catch_up: int = Field(5, ge=0)


class HousekeepingSettings(Section):
    """The days after which `tomorrow clean` takes away what nothing refers to.

    archive:   from Staging to Archived
    remove:    versions and runs
    snapshots: fetched prices, and the records of their fetches
    logs:      of the stack
    prefect:   flow runs, which Prefect's server of the stack removes by itself
    """

    archive_days: int = Field(30, ge=0)
    remove_days: int = Field(365, ge=0)
    snapshot_days: int = Field(365, ge=0)
    log_days: int = Field(30, ge=0)
    prefect_days: int = Field(90, ge=1)


class SecuritySettings(Section):
    """One row of the table of securities."""

    ticker: str
    name: str = ""
    former_tickers: tuple[str, ...] = ()
    exchange: str = "XNYS"
    currency: str | None = None
    kind: str | None = None
    first_session: date | None = None


class Settings(Section):
    """Everything in mlflow.yaml, with paths made absolute."""

    home: Path = Path("var")
    tracking: TrackingSettings = TrackingSettings()
    server: ServerSettings = ServerSettings()
    prefect: PrefectSettings = PrefectSettings()
    registry: RegistrySettings = RegistrySettings()
    stages: StageSettings = StageSettings()
    gate: Gate = Gate()
    score: Monitoring = Monitoring()
    ledger: LedgerSettings = LedgerSettings()
    prices: PriceSettings = PriceSettings()
    alarms: AlarmSettings = AlarmSettings()
    schedules: ScheduleSettings = ScheduleSettings()
    housekeeping: HousekeepingSettings = HousekeepingSettings()
    securities: tuple[SecuritySettings, ...] = ()
    extra_closures: dict[str, tuple[date, ...]] = {}

    @cached_property
    def tracking_uri(self) -> str:
        """The tracking address, a relative SQLite path taken from the state directory."""
        return self._in_home(self.tracking.uri)

    @cached_property
    def ledger_uri(self) -> str:
        """The ledger's address, a relative SQLite path taken from the state directory."""
        return self._in_home(self.ledger.uri)

    @cached_property
    def artifact_place(self) -> str:
        """Where artifacts go: an address as it stands, a folder as an absolute file address."""
        place = self.tracking.artifacts
        return place if "://" in place else (self.home / place).resolve().as_uri()

    def model_name(self, ticker: str, column: str) -> str:
        """The registered model's name for a security and column."""
        return self.registry.name.format(ticker=ticker, column=column)

    def closures(self, exchange: str) -> tuple[date, ...]:
        """The closures of an exchange that were announced at short notice."""
        return self.extra_closures.get(exchange, ())

    def security(self, ticker: str) -> Security:
        """The security that `ticker`, present or former, stands for."""
        if ticker.upper() == SAMPLE.ticker:
            return SAMPLE
        for row in self.securities:
            security = Security(**row.model_dump())
            if security.has_ticker(ticker):
                return security
        return Security(ticker=ticker.upper())

    def _in_home(self, uri: str) -> str:
        scheme, _, path = uri.partition(":///")
        if not scheme.startswith("sqlite") or path.startswith("/") or path in ("", ":memory:"):
            return uri
        return f"{scheme}:///{(self.home / path).resolve()}"


def project_folder() -> Path:
    """The folder that the packages flows, tasks and model lie in, and mlflow.yaml and prefect.yaml beside them."""
    return Path(__file__).resolve().parent.parent


def default_config_file() -> Path:
    """The mlflow.yaml that is read when TOMORROW_CONFIG names none."""
    return project_folder() / "mlflow.yaml"


def read_settings(environment: dict[str, str] | None = None) -> Settings:
    """Read the settings; ConfigurationError names the key that is wrong."""
    env = dict(os.environ) if environment is None else environment
    file = Path(env.get("TOMORROW_CONFIG") or default_config_file()).expanduser().resolve()
    raw = _parse(file)
    if env.get("TOMORROW_HOME"):
        raw["home"] = str(Path(env["TOMORROW_HOME"]).expanduser().resolve())
    if env.get("MLFLOW_TRACKING_URI"):
        raw["tracking"] = {**(raw.get("tracking") or {}), "uri": env["MLFLOW_TRACKING_URI"]}
    if env.get("TOMORROW_LEDGER_URI"):
        raw["ledger"] = {**(raw.get("ledger") or {}), "uri": env["TOMORROW_LEDGER_URI"]}
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise _refusal(file, error) from None
    home = settings.home if settings.home.is_absolute() else file.parent / settings.home
    return settings.model_copy(update={"home": home.resolve()})


def webhook_address(environment: Mapping[str, str] = os.environ) -> str | None:
    """Where alarms are sent, with whatever secret it holds; it never stands in a file or in the settings."""
    return environment.get("TOMORROW_WEBHOOK", "").strip() or None


def _parse(file: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            str(file),
            have=error.strerror or str(error),
            need="a readable mlflow.yaml",
            remedy="set TOMORROW_CONFIG to one, or put it back beside the packages",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            str(file), have=f"not YAML: {error}", need="a YAML file", remedy="correct the line that is named"
        ) from None
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise ConfigurationError(
            str(file), have=f"a {type(raw).__name__}", need="keys and values", remedy="see docs/configuration.md"
        )
    return raw


def _refusal(file: Path, error: ValidationError) -> ConfigurationError:
    """The first fault of a file, with the keys that would be known in its place."""
    fault = error.errors()[0]
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] != "extra_forbidden":
        return ConfigurationError(
            f"{key} in {file}",
            have=f"{fault['input']!r}",
            need=fault["msg"],
            remedy="correct the value",
            key=key,
        )
    return ConfigurationError(
        f"{key} in {file}",
        have="a key that means nothing here",
        need=f"one of {', '.join(known_keys(Settings, fault['loc']))}",
        remedy="correct the spelling, or take the line out",
        key=key,
    )


def shown(uri: str) -> str:
    """A store's address without a user or password."""
    parts = urlsplit(uri)
    if not parts.netloc:  # a file: put together again it would lose slashes
        return uri
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
