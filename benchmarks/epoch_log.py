"""How much of a fit's time logging the loss of every epoch takes: on SQLite, and through an MLflow server.

    .venv/bin/python -m benchmarks.epoch_log --runs 5

Real fits of the preset `tutorial` on the sample market, with their watchers timed. Prints the watchers' share.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks.processes import mlflow_server, told
from model.config import preset
from model.market.calendar import ExchangeCalendar
from model.market.synthetic import sample_prices


def main() -> None:
    """Fit in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=100)
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "TOMORROW_HOME"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="tomorrow-epochs-") as folder, mlflow_server(Path(folder)) as server:
        places = {"SQLite": f"sqlite:///{folder}/mlflow.db", "an MLflow server": server["MLFLOW_TRACKING_URI"]}
        shares: dict[str, list[float]] = {place: [] for place in places}
        for run in range(options.runs):
            for place, uri in places.items():
                logging, fit = _fit(uri, folder, options.epochs)
                shares[place].append(100 * logging / fit)
                print(f"run {run + 1}, {place}: {logging:.3f} s of {fit:.1f} s", file=sys.stderr, flush=True)
    print("| losses logged to | share of the fit, % |\n| --- | ---: |")
    for place, values in shares.items():
        print(f"| {place} | {told(values)} |")


def _fit(uri: str, folder: str, epochs: int) -> tuple[float, float]:
    """Seconds that logging took, and seconds of the fit that it is part of."""
    from model.training.fit import train_forecaster
    from tasks.settings import read_settings
    from tasks.tracking.client import open_tracking
    from tasks.tracking.run import start_run

    tracking = open_tracking(read_settings({"TOMORROW_HOME": folder, "MLFLOW_TRACKING_URI": uri}))

    client = tracking.client
    config = preset("tutorial")
    config = config.model_copy(update={"training": config.training.model_copy(update={"epochs": epochs})})
    prices = sample_prices(date(2019, 12, 31), 0, ExchangeCalendar())
    with start_run(client, "0", "epochs", {}) as run:
        timed = _Timed(run.log_epoch)
        fitted = train_forecaster(prices, config, [timed])
        return timed.seconds, fitted.fit_seconds


class _Timed:
    def __init__(self, watch: Callable[[int, float], None]) -> None:
        self._watch, self.seconds = watch, 0.0

    def __call__(self, epoch: int, loss: float) -> None:
        start = time.perf_counter()
        self._watch(epoch, loss)
        self.seconds += time.perf_counter() - start


if __name__ == "__main__":
    main()
