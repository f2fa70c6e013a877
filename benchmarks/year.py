"""A year in an hour: a forecast of every session of 2019 by the real flows, with a clock given to them.

    .venv/bin/python -m benchmarks.year
    .venv/bin/python -m benchmarks.year --first 2019-11-04 --days 22 --preset daily

A process for each day, one Prefect server, MLflow on SQLite. Prints what a year leaves behind, and whether its last
month took longer than its first. Prices: Facebook's where they are to be had (day.py), else the sample market.
Processes are forked from one that has imported everything, which Linux and macOS can do.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.day import HAS_SCORE, QUICK, cycle, prices_config, process_of_its_own, score_after
from benchmarks.kill import IMPORTED
from benchmarks.processes import prefect_server
from model.config import ForecasterConfig, PriceRequest

if TYPE_CHECKING:
    from mlflow.entities import Run

YEAR = date(2018, 12, 31), date(2019, 12, 31)
MONTH = 21  # sessions


def main() -> None:
    """Run a year, and print the results."""
    options = _options()
    given = os.environ.get("PREFECT_API_URL")
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "TOMORROW_HOME"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="tomorrow-year-") as folder:
        os.environ["TOMORROW_HOME"] = str(Path(folder, "home"))
        if given:
            os.environ["PREFECT_API_URL"] = given
            answer = _year(options, Path(folder))
        else:
            with prefect_server(Path(folder, "prefect")) as server:
                os.environ.update(server)
                answer = _year(options, Path(folder))
    print(json.dumps(answer, indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=date.fromisoformat, default=YEAR[0], help="the first evening (2018-12-31)")
    parser.add_argument("--days", type=int, help="only this many sessions")
    parser.add_argument("--preset", help="a named training configuration (default: a network fitted in a moment)")
    parser.add_argument("--epochs", type=int, help="epochs of the preset")
    return parser.parse_args()


def _year(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from model.config import preset
    from model.market.calendar import ExchangeCalendar

    # From the last session of 2018, whose evening forecasts the first of 2019, to the last of 2019.
    every = ExchangeCalendar().sessions(options.first, YEAR[1])[: options.days]
    sessions = [date.fromisoformat(str(day)) for day in every]
    forecaster = preset(options.preset) if options.preset else QUICK
    if options.epochs:
        training = forecaster.training.model_copy(update={"epochs": options.epochs})
        forecaster = forecaster.model_copy(update={"training": training})
    prices, taken, sizes = prices_config(), [], []
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(IMPORTED)
    begun = time.perf_counter()
    with ProcessPoolExecutor(1, mp_context=processes, max_tasks_per_child=1) as days:
        for number, day in enumerate(sessions):
            # Forced, since the quick network has no skill, and the year is to exercise the forecasts of a version.
            force = number == 0 and forecaster == QUICK
            taken.append(days.submit(_day, day, prices, forecaster, force=force).result())
            sizes.append(_megabytes(folder))
            if number % 5 == 0 or options.days:
                spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in taken[-1].items())
                print(f"{day}: {spent}", file=sys.stderr, flush=True)
        if HAS_SCORE:
            days.submit(_score_after, sessions[-1], prices).result()
        left = days.submit(_left_behind, sessions).result()
    return {
        "prices": prices.ticker,
        "sessions": len(taken),
        "minutes": (time.perf_counter() - begun) / 60,
        **left,
        "seconds_a_day": _growth(taken),
        "megabytes": {"after the first month": sizes[min(MONTH, len(sizes)) - 1], "at the end": sizes[-1]},
    }


def _day(day: date, prices: PriceRequest, forecaster: ForecasterConfig, *, force: bool) -> dict[str, float]:
    with process_of_its_own():
        return cycle(day, prices, forecaster, force=force)


def _score_after(day: date, prices: PriceRequest) -> None:
    with process_of_its_own():
        score_after(day, prices)


def _left_behind(sessions: list[date]) -> dict[str, Any]:
    """What stands in the ledger and the registry, and whether it is complete."""
    from model.market.calendar import ExchangeCalendar
    from tasks.ledger.forecasts import Ledger
    from tasks.registry.registry import Registry
    from tasks.settings import read_settings

    settings = read_settings()
    from tasks.tracking.client import open_tracking

    tracking = open_tracking(settings)
    client = tracking.client
    registry, rows = Registry(tracking), Ledger(settings.ledger_uri).rows()
    (model,) = registry.models()
    versions = registry.versions(model)
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs([found.experiment_id for found in client.search_experiments()], page_token=token)
        runs, token = [*runs, *page], page.token
        if not token:
            break
    made = {run.info.run_id for run in runs}
    scored = [row for row in rows if row.observed is not None]
    return {
        "forecasts": len(rows),
        "of_the_naive_distribution": sum(row.version is None for row in rows),
        "sessions_without_a_forecast": [str(day) for day in sessions if day not in {row.as_of for row in rows}],
        "ex_ante": sum(row.made_at < ExchangeCalendar().opens(row.session) for row in rows),
        "scored": len(scored),
        "versions": len(versions),
        "versions_without_a_decision_or_run": sum(
            not version.tags.get("decision") or version.run_id not in made for version in versions
        ),
        "first_promotion": next(
            (str(change.at) for change in registry.history.changes(model) if change.decision == "promoted"), None
        ),
        "stages": dict(Counter(version.stage for version in versions)),
        "decisions": dict(Counter(version.tags.get("decision", "") for version in versions)),
        "runs": dict(Counter(run.info.status for run in runs)),
    }


def _growth(taken: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Median seconds by flow in the first month without its first day, and in the last."""
    first, last = taken[1 : MONTH + 1], taken[-MONTH:]
    return {
        month: {name: round(statistics.median(day[name] for day in days), 2) for name in taken[-1]}
        for month, days in (("first month", first), ("last month", last))
        if days
    }


def _megabytes(folder: Path) -> dict[str, float]:
    places = {"mlflow.db": "home/mlflow.db", "ledger.db": "home/ledger.db", "prefect.db": "prefect/prefect.db"}
    return {
        name: Path(folder, place).stat().st_size / 1e6 for name, place in places.items() if Path(folder, place).exists()
    }


if __name__ == "__main__":
    main()
