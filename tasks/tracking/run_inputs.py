"""The prices that a training kept with its run, for whoever judges another version on exactly the same ones."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from model.errors import FaultyPrices
from model.market.prices import Prices
from tasks.prices.parquet import read_price_file, require_fingerprint

if TYPE_CHECKING:
    from mlflow import MlflowClient

PRICES_FILE = "prices.parquet"
FINGERPRINT = "fingerprint"


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
    require_fingerprint(prices, expected, subject)
    return prices


def _no_prices(subject: str, have: str) -> FaultyPrices:
    return FaultyPrices(
        subject,
        have=have,
        need=f"a run with its prices in {PRICES_FILE} and their fingerprint as a tag",
        remedy="train again, which keeps the prices with the run",
    )
