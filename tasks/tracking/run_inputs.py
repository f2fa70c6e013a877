"""What a run keeps of its inputs, to be loaded again: its configuration, and its prices to the last bit."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pydantic import BaseModel

from model.config import EvaluationConfig, ForecasterConfig, PriceRequest
from model.errors import FaultyPrices
from model.evaluation.split import Split, split_prices
from model.forecaster.scaling import sessions_needed
from model.market.prices import Prices
from tasks.prices.parquet import check_fingerprint, read_price_file

if TYPE_CHECKING:
    from mlflow import MlflowClient

CONFIG_FILE = "config.json"
PRICES_FILE = "prices.parquet"
FINGERPRINT = "fingerprint"


class RunConfig(BaseModel):
    """What a run was configured with, as it is stored with the run."""

    request: PriceRequest
    forecaster: ForecasterConfig
    evaluation: EvaluationConfig


def run_config(client: "MlflowClient", run_id: str) -> RunConfig:
    """What a run was configured with."""
    from mlflow.artifacts import load_dict

    return RunConfig.model_validate(load_dict(f"{client.get_run(run_id).info.artifact_uri}/{CONFIG_FILE}"))


def reload_test(client: "MlflowClient", run_id: str) -> tuple[RunConfig, Split]:
    """A run's configuration and its prices, cut as they were when it was trained."""
    config = run_config(client, run_id)
    return config, split_prices(load_prices(client, run_id), config.evaluation, sessions_needed(config.forecaster))


def load_prices(client: "MlflowClient", run_id: str) -> Prices:
    """Read the prices that log_prices kept with a run; FaultyPrices if they are gone or no longer the same."""
    from mlflow.exceptions import MlflowException

    subject = f"prices of run {run_id}"
    try:
        expected = client.get_run(run_id).data.tags.get(FINGERPRINT)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise _no_prices(subject, "no such run") from error
    if expected is None:
        raise _no_prices(subject, f"no tag {FINGERPRINT!r} on the run")
    if not any(file.path == PRICES_FILE for file in client.list_artifacts(run_id)):
        raise _no_prices(subject, f"no artifact {PRICES_FILE}")
    with TemporaryDirectory() as folder:
        prices = read_price_file(Path(client.download_artifacts(run_id, PRICES_FILE, folder)))
    check_fingerprint(prices, expected, subject)
    return prices


def _no_prices(subject: str, have: str) -> FaultyPrices:
    return FaultyPrices(
        subject,
        have=have,
        need=f"a run with its prices in {PRICES_FILE} and their fingerprint as a tag",
        remedy="train again, which keeps the prices with the run",
    )
