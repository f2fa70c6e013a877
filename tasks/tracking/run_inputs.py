"""Stores a run's configuration and exact prices with the run, and loads them again."""

from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel

from model.config import EvaluationConfig, ForecasterConfig, PriceRequest
from model.evaluation.split import Split, split_prices
from model.forecaster.scaling import sessions_needed
from model.market.prices import Prices
from tasks.prices.parquet import read_price_file, write_price_file
from tasks.settings import Settings
from tasks.tracking.checked_files import log_checked, read_checked
from tasks.tracking.client import Tracking
from tasks.tracking.run import TrackedRun

CONFIG_FILE = "config.json"
PRICES_FILE = "prices.parquet"


class RunConfig(BaseModel):
    """A run's configuration, as it is stored with the run."""

    request: PriceRequest
    forecaster: ForecasterConfig
    evaluation: EvaluationConfig


def log_inputs(run: TrackedRun, settings: Settings, config: RunConfig, prices: Prices) -> None:
    """Store configuration and exact prices with the run, so that a later version can be judged on the same prices."""
    with TemporaryDirectory() as folder:
        Path(folder, CONFIG_FILE).write_text(config.model_dump_json(indent=2), encoding="utf-8")
        log_checked(run.client, settings, run.run_id, Path(folder))
    log_prices(run, settings, prices)


def log_prices(run: TrackedRun, settings: Settings, prices: Prices) -> None:
    """Store the exact prices with the run, to show what it was computed from."""
    with TemporaryDirectory() as folder:
        write_price_file(prices, Path(folder, PRICES_FILE))
        log_checked(run.client, settings, run.run_id, Path(folder))


def run_config(tracking: Tracking, run_id: str, version: str) -> RunConfig:
    """The configuration of a version's run; ConfigurationError as for read_checked.

    version: its address, `models:/META-Open/3`
    """
    content = read_checked(tracking.client, tracking.settings, run_id, CONFIG_FILE, version)
    return RunConfig.model_validate_json(content)


def reload_test(tracking: Tracking, run_id: str, version: str) -> tuple[RunConfig, Split]:
    """The configuration of a version's run, and its prices, split as for its training."""
    config, prices = run_config(tracking, run_id, version), load_prices(tracking, run_id, version)
    return config, split_prices(prices, config.evaluation, sessions_needed(config.forecaster))


def load_prices(tracking: Tracking, run_id: str, version: str) -> Prices:
    """The prices that log_inputs stored with a version's run; ConfigurationError as for read_checked."""
    content = read_checked(tracking.client, tracking.settings, run_id, PRICES_FILE, version)
    with TemporaryDirectory() as folder:
        file = Path(folder, PRICES_FILE)
        file.write_bytes(content)
        return read_price_file(file)
