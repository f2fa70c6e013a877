"""Race it: processes train, promote, roll back and predict at once, on state directories that are empty at first.

    .venv/bin/python -m benchmarks.race --seconds 120 --processes 8

Once with everything on SQLite. Where PostgreSQL is installed, also on a separate server of it: once from one state
directory, and once from two that share MLflow's database and the ledger, as two machines would. Meanwhile MLflow's
tables are looked at, in one statement, so at one moment. At the end all that a process was told has to stand in the
ledger, the registry and the history. Ends with 1 if it does not, if two versions ever had the stage Production or the
alias did not name exactly one, or if a user would have seen any error other than a refusal.
"""

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain, groupby
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from benchmarks.day import NEW_YORK, PREDICT, QUICK, REASON, TRAIN, prices_config, process_of_its_own
from benchmarks.kill import IMPORTED
from benchmarks.processes import prefect_server
from model.errors import NothingInProduction, PromotionRefused, UsageError

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from tasks.ledger.forecasts import RecordedForecast
    from tasks.registry.registry import Registry
    from tasks.registry.stage_history import StageChange

# Imported before the processes are forked, so that all the time goes into the race.
STORES = ["mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store", "mlflow.pyfunc"]
PRELOADED = [*IMPORTED, *STORES, "flows.promote", "exchange_calendars", "git", "psycopg"]
# The stores, and the number of state directories that share them.
HOMES = {"sqlite": 1, "postgresql": 1, "two-directories": 2}
# On the sample market a network of one epoch makes forecasts that would be refused as implausible.
ANYTHING = {"TOMORROW_PRICES__LARGEST_MOVE": "9"}
# How often each is chosen: few trainings, since those of one model wait for each other.
ACTIONS = {"train": 1, "promote": 3, "rollback": 2, "predict": 4}
BEGINNERS = 2  # processes that begin with a training, so that there is something to race for
# Errors that a user can mend. A ConfigurationError is not among them, since a locked ledger would be one.
REFUSALS = (UsageError, NothingInProduction, PromotionRefused)
# The sessions to forecast are so few that several processes write the same row.
TRAINED, FORECAST = (date(2018, 10, 1), date(2018, 12, 31)), (date(2019, 1, 2), date(2019, 1, 31))
LOOK = """SELECT
    (SELECT count(*) FROM model_versions WHERE current_stage = 'Production'),
    (SELECT count(*) FROM registered_model_aliases WHERE alias = 'production'),
    (SELECT count(*) FROM registered_model_aliases a JOIN model_versions v ON v.name = a.name AND v.version = a.version
     WHERE a.alias = 'production' AND v.current_stage = 'Production')"""
PAUSE = 0.005  # seconds between two looks, which leave the racers a processor


@dataclass(slots=True)
class Work:
    """What one process did, and what it was told.

    done, refused: flows by name, refusals by flow and kind
    errors:        by text, what no user should see
    versions:      the versions that it trained
    moves:         how often it moved a version into Production
    forecasts:     the ledger's rows as they were reported
    created:       how many of these it was told to have made
    """

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    versions: list[int] = field(default_factory=list)
    moves: int = 0
    forecasts: "list[RecordedForecast]" = field(default_factory=list)
    created: int = 0


def main() -> int:
    """Race on each kind of database, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120, help="a flow that has begun by then is finished")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--databases", default=",".join(HOMES), metavar="KIND,...")
    parser.add_argument("--seed", type=int, default=0, help="seed of what each process does")
    options = parser.parse_args()
    for name in [
        name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "TOMORROW_HOME", "TOMORROW_LEDGER"))
    ]:
        del os.environ[name]
    from tasks.settings import read_settings
    from tasks.system.prefect_server import environment

    answers: dict[str, dict[str, Any]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="tomorrow-race-") as folder,
        prefect_server(Path(folder, "prefect")) as server,
    ):
        # Prefect is imported before a racer could set what Prefect reads from its environment.
        os.environ |= environment(read_settings({"TOMORROW_HOME": folder}), quiet=True) | server
        for kind in options.databases.split(","):
            try:
                with _databases(kind) as addresses:
                    homes = [str(Path(folder, kind, str(number))) for number in range(HOMES[kind])]
                    answers[kind] = _race(options, [{**addresses, **ANYTHING, "TOMORROW_HOME": home} for home in homes])
            except pytest.skip.Exception as absent:
                answers[kind] = {"skipped": str(absent)}
    print(json.dumps(answers, indent=2))
    return 1 if any(answer.get("wrong") for answer in answers.values()) else 0


@contextmanager
def _databases(kind: str) -> Iterator[dict[str, str]]:
    """The environment that names the databases; none for files in the state directory."""
    if kind == "sqlite":
        yield {}
        return
    from tests.postgres import database_on, postgres_server

    with postgres_server() as server, database_on(server) as tracking, database_on(server) as ledger:
        yield {"MLFLOW_TRACKING_URI": tracking, "TOMORROW_LEDGER_URI": ledger}


def _race(options: argparse.Namespace, places: list[dict[str, str]]) -> dict[str, Any]:
    """Let the processes race, in turn on each of the places, and compare what they were told with what stands there.

    places: environments that name one MLflow and one ledger, each with a state directory of its own
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    end, begun = Event(), time.perf_counter()
    with ThreadPoolExecutor(1) as observer, ProcessPoolExecutor(options.processes, mp_context=context) as racers:
        seen = observer.submit(_watch, places[0], end)
        try:
            racing = [
                racers.submit(_work, number, options, places[number % len(places)])
                for number in range(options.processes)
            ]
            works = [racer.result() for racer in racing]
        finally:
            end.set()
        looks, faults = seen.result()
        seconds = time.perf_counter() - begun
        try:
            left, missing = racers.submit(_compare, works).result()
        except Exception as error:  # noqa: BLE001 - what the race has shown is still told
            left, missing = {}, [f"the result cannot be compared: {type(error).__name__}: {error}"[:600]]
    errors = sum((work.errors for work in works), Counter())
    counts = [in_production for in_production, _, _ in looks]
    if max(counts, default=0) > 1:
        faults.append(f"{max(counts)} versions in the stage Production at a moment")
    if not looks:
        faults.append("nothing came to Production: a race needs more time")
    elif {aliases for _, aliases, _ in looks} != {1}:
        faults.append("the alias production did not always name one version")
    return {
        "seconds": round(seconds, 1),
        "done": dict(sum((work.done for work in works), Counter())),
        "refused": dict(sum((work.refused for work in works), Counter())),
        "errors": dict(errors),
        "looks": looks.total(),
        "most_in_production": max(counts, default=0),
        "looks_by_stages_aliases_agreeing": {str(found): number for found, number in sorted(looks.items())},
        **left,
        "wrong": [*faults, *missing, *(["errors that a user would have seen"] if errors else [])],
    }


def _watch(place: dict[str, str], end: Event) -> tuple[Counter[tuple[int, int, int]], list[str]]:
    """How often each was seen: (versions in Production, aliases `production`, those of them that name such a version).

    Counted from when the alias first exists: no flow of this race takes Production away. And what went wrong.
    """
    from tasks.settings import read_settings

    url = sa.make_url(read_settings({**os.environ, **place}).tracking_uri)
    if url.get_backend_name() == "sqlite":
        # Opening must not create the file.
        url = url.set(database=f"file:{url.database}", query={"mode": "ro", "uri": "true", "timeout": "30"})
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    looks: Counter[tuple[int, int, int]] = Counter()
    while not end.wait(PAUSE):
        try:
            with engine.connect() as connection:
                found = connection.execute(sa.text(LOOK)).one()
        except sa.exc.DBAPIError as error:
            # Until MLflow has made its tables there is nothing to look at.
            if looks:
                return looks, [f"the observer was refused: {error.orig}"]
        else:
            if looks or found[1]:
                looks[tuple(found)] += 1
    engine.dispose()
    return looks, []


def _work(number: int, options: argparse.Namespace, place: dict[str, str]) -> Work:
    """Run flows at random for --seconds, counted from the end of the first, which loads what all of them need."""
    os.environ |= place
    chance, work, end = random.Random(f"{options.seed} {number}"), Work(), float("inf")
    with process_of_its_own():
        names = ["train"] if number < BEGINNERS else []
        while time.monotonic() < end:
            names += chance.choices(list(ACTIONS), list(ACTIONS.values()))
            name = names.pop(0)
            try:
                _act(name, chance, work)
            except Exception as error:  # noqa: BLE001 - whatever a user would see is what is looked for
                if type(error) in REFUSALS:
                    work.refused[f"{name}: {type(error).__name__}"] += 1
                else:
                    work.errors[f"{name}: {type(error).__name__}: {error}"[:600]] += 1
                    traceback.print_exc()
            else:
                work.done[name] += 1
            end = min(end, time.monotonic() + options.seconds)
    return work


def _act(name: str, chance: random.Random, work: Work) -> None:
    """Run one flow, and note what it reports."""
    from flows.predict import predict
    from flows.promote import promote, rollback
    from flows.runs.clock import clock_at
    from flows.train import train
    from model.market.calendar import ExchangeCalendar

    def some(days: tuple[date, date]) -> date:
        return date.fromisoformat(str(chance.choice(ExchangeCalendar().sessions(*days))))

    _, registry, model = _opened()
    if name == "train":
        fit = QUICK.training.model_copy(update={"seed": chance.getrandbits(32)})
        with clock_at(datetime.combine(some(TRAINED), TRAIN, NEW_YORK)):
            trained = train(request=prices_config(), forecaster=QUICK.model_copy(update={"training": fit}))
        work.versions.append(trained.version.version)
    elif name == "promote":
        numbers = [version.version for version in registry.versions(model)] or [1]
        number = chance.choice((numbers[-1], chance.choice(numbers)))
        work.moves += promote(model, number, force=True, reason=REASON).changed
    elif name == "rollback":
        work.moves += rollback(model, REASON).changed
    else:
        with clock_at(datetime.combine(some(FORECAST), PREDICT, NEW_YORK)):
            made = predict(request=prices_config())
        work.forecasts.append(made.forecast)
        work.created += made.created


def _opened() -> "tuple[MlflowClient, Registry, str]":
    """MLflow's client, the registry, and the model that is raced for."""
    from tasks.registry.registry import Registry
    from tasks.settings import read_settings

    settings = read_settings()
    from tasks.tracking.client import open_tracking

    tracking = open_tracking(settings)
    client = tracking.client
    model = settings.model_name(settings.security(prices_config().ticker).ticker, QUICK.column)
    return client, Registry(tracking), model


def _compare(works: list[Work]) -> tuple[dict[str, Any], list[str]]:
    """Counts of what is left behind, and where it differs from what the processes were told."""
    from flows.runs.clock import now
    from tasks.ledger.forecasts import KEY, Ledger
    from tasks.settings import read_settings

    client, registry, model = _opened()
    rows, versions = Ledger(read_settings().ledger_uri).rows(), registry.versions(model)
    changes = registry.history.changes(model)
    told = [row for work in works for row in work.forecasts]
    lost = [row for row in told if row not in rows]
    keys = {tuple(getattr(row, name) for name in KEY) for row in rows}
    created, trained = sum(work.created for work in works), sorted(chain(*(work.versions for work in works)))
    moves, stages = sum(work.moves for work in works), Counter(version.stage for version in versions)
    recorded = sum(change.after == "Production" != change.before and change.by != "gate" for change in changes)
    experiments = [found.experiment_id for found in client.search_experiments()]
    running = client.search_runs(experiments, "attributes.status = 'RUNNING'")
    by_hand = registry.settle(model, now())
    wrong = {
        f"{len(lost)} forecasts that were reported are not in the ledger, or differ there": lost,
        f"{len(rows)} rows for {len(keys)} keys, {created} reported as new": not len(rows) == len(keys) == created,
        f"versions {trained} were reported": trained != [version.version for version in versions],
        f"{moves} moves into Production were reported, {recorded} are on record": moves != recorded,
        f"changes reported as made by hand: {by_hand}": by_hand,
        f"in stages: {dict(stages)}": stages["Production"] != 1,
        f"{len(running)} runs are still RUNNING": running,
        **dict.fromkeys(_breaks(changes), True),
    }
    left = {"ledger_rows": len(rows), "forecasts_reported": len(told), "versions": len(versions), "moves": moves}
    return {**left, "stages": dict(stages)}, [text for text, is_so in wrong.items() if is_so]


def _breaks(changes: "Iterable[StageChange]") -> Iterator[str]:
    """Where the history contradicts itself, or a move leaves none or several in Production."""
    stages: dict[int, str] = {}
    for _, lines in groupby(changes, key=lambda change: change.move):
        told = []
        for line in lines:
            if stages.get(line.version, "None") != line.before:
                yield f"in the history, version {line.version} leaves {line.before}, where it is not"
            stages[line.version] = line.after
            told.append(f"version {line.version} {line.before} to {line.after}, {line.decision} by {line.by}")
        there = list(stages.values()).count("Production")
        if there > 1 or (there == 0 and "Production to" in told[0]):
            yield f"in the history, {there} in Production after: {'; '.join(told)}"


if __name__ == "__main__":
    sys.exit(main())
