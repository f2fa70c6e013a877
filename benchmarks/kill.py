"""Kill it: SIGKILL at a random moment of a day's cycle, start it again, and compare with an undisturbed day.

    .venv/bin/python -m benchmarks.kill --rounds 100

Each round begins with the same state directory, in which a first day is done. A process carries out the
second day and is killed, up to three times in a row; the next one does it to its end. Then versions, stages, aliases,
tags, ledger rows and how runs ended have to be what the undisturbed day left. Ends with 1 where they are not.
Processes are forked from one that has imported everything, which Linux and macOS can do.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.day import cycle, prices_config, process_of_its_own
from benchmarks.processes import prefect_server

FIRST, SECOND = date(2019, 7, 2), date(2019, 7, 3)
# What differs between two processes that do the same.
CHANGING = ("mlflow.modelVersions", "run_id", "x.started_from.run_id")
IMPORTED = ["flows.train", "flows.promote", "flows.predict", "tensorflow", "keras", "mlflow", "matplotlib.pyplot"]
MOST_KILLS = 3


def main() -> int:
    """Kill and compare, round after round."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="seed of the random moments")
    options = parser.parse_args()
    given = os.environ.get("PREFECT_API_URL")
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "TOMORROW_HOME"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="tomorrow-kill-") as folder:
        os.environ["TOMORROW_HOME"] = str(Path(folder, "home"))
        if given:
            os.environ |= {"PREFECT_API_URL": given, "PREFECT_HOME": str(Path(folder, "prefect"))}
            return _rounds(Path(folder), options)
        with prefect_server(Path(folder, "prefect")) as server:
            os.environ |= server
            return _rounds(Path(folder), options)


def _rounds(folder: Path, options: argparse.Namespace) -> int:
    home, before = folder / "home", folder / "before"
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(IMPORTED)
    chance = random.Random(options.seed)

    def start(day: date) -> Any:
        process = processes.Process(target=_day, args=(day, str(folder / "step")))
        process.start()
        return process

    def finish(day: date) -> float:
        begun = time.perf_counter()
        process = start(day)
        process.join()
        if process.exitcode != 0:
            sys.exit(f"the cycle of {day} ended with {process.exitcode}")
        return time.perf_counter() - begun

    finish(FIRST)
    shutil.copytree(home, before)
    whole = finish(SECOND)
    expected = _state()
    print(json.dumps({"seconds": whole, "undisturbed": expected}, indent=2, default=str), file=sys.stderr)
    killed: Counter[str] = Counter()
    wrong = 0
    for number in range(options.rounds):
        shutil.rmtree(home)
        shutil.copytree(before, home)
        for _ in range(chance.randint(1, MOST_KILLS)):
            process = start(SECOND)
            process.join(chance.uniform(0, whole))
            if process.is_alive():
                process.kill()
                killed[(folder / "step").read_text(encoding="utf-8") if (folder / "step").exists() else "start"] += 1
            process.join()
        finish(SECOND)
        found = _state()
        if found != expected:
            wrong += 1
            print(json.dumps({"round": number, "found": found}, indent=2, default=str), file=sys.stderr)
        print(f"round {number + 1} of {options.rounds}: {dict(killed)}", file=sys.stderr, flush=True)
    print(json.dumps({"rounds": options.rounds, "killed_in": dict(killed), "different": wrong}, indent=2))
    return 1 if wrong else 0


def _day(day: date, step: str) -> None:
    """Carry out the cycle of a day, noting the step that it is at."""
    Path(step).write_text("start", encoding="utf-8")
    with process_of_its_own():
        cycle(day, prices_config(), force=True, begins=lambda name: Path(step).write_text(name, encoding="utf-8"))


def _state() -> dict[str, Any]:
    """What has to be the same: versions with their runs, aliases, the ledger; and what must not exist."""
    from dataclasses import asdict

    from tasks.ledger.forecasts import Ledger
    from tasks.settings import read_settings

    settings = read_settings()
    from tasks.tracking.client import open_tracking

    tracking = open_tracking(settings)
    client = tracking.client
    runs = client.search_runs([found.experiment_id for found in client.search_experiments()])
    ended = {run.info.run_id: run for run in runs}
    return {
        "versions": [
            {
                "version": int(found.version),
                "stage": found.current_stage,
                "tags": {key: value for key, value in found.tags.items() if key not in CHANGING},
                "run": ended[found.run_id].info.status,
                "metrics": {
                    key: value for key, value in ended[found.run_id].data.metrics.items() if key != "fit_seconds"
                },
            }
            for found in sorted(client.search_model_versions(), key=lambda version: int(version.version))
        ],
        "aliases": [
            sorted((alias, int(number)) for alias, number in model.aliases.items())
            for model in client.search_registered_models()
        ],
        "ledger": [
            {key: value for key, value in asdict(row).items() if key not in CHANGING}
            for row in Ledger(settings.ledger_uri).rows()
        ],
        "running": sum(run.info.status == "RUNNING" for run in runs),
        "finished": sum(run.info.status == "FINISHED" for run in runs),
    }


if __name__ == "__main__":
    sys.exit(main())
