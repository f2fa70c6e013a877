"""The board of many models: how long it takes to read, to answer, and to load their versions; and how much memory.

    .venv/bin/python -m benchmarks.serving_board --models 500 --home /tmp/board

One version of the sample market's model is trained; each model gets a copy of it, registered and promoted, and 120
forecasts of which all but the newest have happened. That is built once and kept in the folder that --home names. Then
`tomorrow serve` is started on it, and asked. Prints JSON.
"""

import argparse
import http.client
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.long_life_home import _scaled, insert_rows
from benchmarks.serving import MODEL, QUICK, TRAIN, _board, _move, _round, _run
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.ledger.kept_files import KeptFiles, Trained
from tasks.registry.registry import Registry
from tasks.registry.version import KEY
from tasks.settings import Settings, read_settings
from tasks.system.access.secret import state_keys
from tasks.tracking.checked_files import digests_of, version_files
from tasks.tracking.client import Tracking, open_tracking

SESSIONS = 120
PAGES = {"page of 50": "?size=50", "page of 500": "?size=500", "filtered": "?verdict=naive", "one model": "/M0007-Open"}
ASKED = 30


def main() -> None:
    """Build what is missing, ask, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--home", type=Path, required=True)
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "TOMORROW_"))]:
        del os.environ[name]
    home = options.home.resolve()
    os.environ["TOMORROW_HOME"] = str(home)
    if not (home / "ledger.db").exists():
        home.mkdir(parents=True, mode=0o700, exist_ok=True)
        _build(options.models)
    settings, found = read_settings(), {}
    with tempfile.TemporaryDirectory(prefix="tomorrow-board-") as folder:
        begun = time.perf_counter()
        with _board(Path(folder)) as server:
            found["seconds until it answers"] = time.perf_counter() - begun
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            key = state_keys(settings).serving
            while _ask(connection, key, "/health")[0]["models"] < options.models:
                time.sleep(0.5)
            found["seconds until the board is read"] = time.perf_counter() - begun
            while _ask(connection, key, "/health")[0]["answering"] < options.models:
                time.sleep(0.5)
            found["seconds until all versions answer"] = time.perf_counter() - begun
            time.sleep(10)
            connection.close()  # as the server has done meanwhile
            for name, path in PAGES.items():
                taken = [_ask(connection, key, f"/api/models{path}")[1] for _ in range(ASKED)]
                found[f"{name}: median ms"] = statistics.median(taken) * 1000
                found[f"{name}: most ms"] = max(taken) * 1000
            process = psutil.Process(server.process.pid)
            before = process.cpu_times().user
            time.sleep(30)
            found["processor seconds a minute when nothing happens"] = 2 * (process.cpu_times().user - before)
            found["MB"] = process.memory_info().rss / 1e6
    print(json.dumps({name: _round(value) for name, value in found.items()}, indent=2))


def _ask(connection: http.client.HTTPConnection, key: str, path: str) -> tuple[Any, float]:
    begun = time.perf_counter()
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        sys.exit(f"{path} is answered with {answer.status}: {said[:500]!r}")
    return json.loads(said), time.perf_counter() - begun


def _build(models: int) -> None:
    """Train one version, and give each model a copy of it and its forecasts."""
    _run([*TRAIN, *QUICK])
    settings = read_settings()
    tracking = open_tracking(settings)
    registry = Registry(tracking)
    _move(registry, 1)
    _run(["predict", "--source", "sample", "--as-of", "2013-06-28", "--json"])
    version = registry.version(MODEL, 1)
    (row,) = Ledger(settings.ledger_uri).rows(MODEL)
    rng = np.random.default_rng(1)
    rows: list[RecordedForecast] = []
    with version_files(settings, version.model_uri, version.source) as stored:
        for number in range(models - 1):
            model = f"M{number:04}-Open"
            _copy(settings, tracking, registry, model, version.run_id, stored)
            rows += _forecasts(row, model, rng)
            print(f"{number + 1} of {models}", end="\r", file=sys.stderr)
    insert_rows(settings.ledger_uri, rows)
    with sqlite3.connect(settings.home / "ledger.db") as database:
        database.execute("VACUUM")


def _copy(settings: Settings, tracking: Tracking, registry: Registry, model: str, run_id: str, stored: Path) -> None:
    """Register the files as the first version of another model, and promote it."""
    made = tracking.client.create_logged_model(tracking.experiment_id(), "model", run_id)
    trained = Trained(model=model, run_id=run_id, key=model, as_of=date(2013, 6, 28))
    KeptFiles(settings.ledger_uri).package(made.model_uri, trained, digests_of(stored))
    tracking.client.log_model_artifacts(made.model_id, str(stored))
    registry.register(model, run_id=run_id, model_uri=made.model_uri, tags={KEY: model, "preset": "tutorial"})
    _move(registry, 1, model)


def _forecasts(row: RecordedForecast, model: str, rng: Any) -> list[RecordedForecast]:
    """A model's forecasts of the newest weekdays, at prices of its own."""
    scaled = _scaled(row, float(np.exp(rng.normal(0, 0.5))))
    today = datetime.now(UTC).date()
    days = [day for back in range(2 * SESSIONS) if (day := today - timedelta(days=back)).weekday() < 5][: SESSIONS + 1]
    wide, made = scaled.quantiles[0.9] - scaled.quantiles[0.1], []
    for session, as_of in pairwise(days):
        is_over = session != days[0]
        made_at = datetime.combine(as_of, datetime.min.time(), UTC) + timedelta(hours=23)
        made.append(
            replace(
                scaled,
                model=model,
                ticker=model.removesuffix("-Open"),
                as_of=as_of,
                session=session,
                made_at=made_at,
                late=False,
                observed=float(scaled.forecast + 0.4 * wide * rng.normal()) if is_over else None,
                observed_at=made_at + timedelta(days=1) if is_over else None,
            )
        )
    return made


if __name__ == "__main__":
    main()
