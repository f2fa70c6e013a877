"""What a run keeps of its inputs, to be loaded again: its configuration, and its prices to the last bit."""

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
    """What a run was configured with, as it is stored with the run."""

    request: PriceRequest
    forecaster: ForecasterConfig
    evaluation: EvaluationConfig


def log_inputs(run: TrackedRun, settings: Settings, config: RunConfig, prices: Prices) -> None:
    """Keep these with the run, the prices to the last bit, so that a later version can be judged on the same ones."""
    with TemporaryDirectory() as folder:
        Path(folder, CONFIG_FILE).write_text(config.model_dump_json(indent=2), encoding="utf-8")
        log_checked(run.client, settings, run.run_id, Path(folder))
    log_prices(run, settings, prices)


def log_prices(run: TrackedRun, settings: Settings, prices: Prices) -> None:
    """Keep these prices with the run, to the last bit, for whoever wants to see what was computed on."""
    with TemporaryDirectory() as folder:
        write_price_file(prices, Path(folder, PRICES_FILE))
        log_checked(run.client, settings, run.run_id, Path(folder))


def run_config(tracking: Tracking, run_id: str, version: str) -> RunConfig:
    """What the run of a version was configured with; ConfigurationError as of read_checked.

    version: its address, `models:/META-Open/3`
    """
    content = read_checked(tracking.client, tracking.settings, run_id, CONFIG_FILE, version)
    return RunConfig.model_validate_json(content)


def reload_test(tracking: Tracking, run_id: str, version: str) -> tuple[RunConfig, Split]:
    """The configuration of a version's run and its prices, cut as they were when it was trained."""
    config, prices = run_config(tracking, run_id, version), load_prices(tracking, run_id, version)
    return config, split_prices(prices, config.evaluation, sessions_needed(config.forecaster))


def load_prices(tracking: Tracking, run_id: str, version: str) -> Prices:
    """The prices that log_inputs kept with the run of a version; ConfigurationError as of read_checked."""
    content = read_checked(tracking.client, tracking.settings, run_id, PRICES_FILE, version)
    with TemporaryDirectory() as folder:
        file = Path(folder, PRICES_FILE)
        file.write_bytes(content)
        return read_price_file(file)
