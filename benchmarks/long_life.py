"""The daily commands in a home of ten years beside the same commands in a new home, in pairs.

    .venv/bin/python -m benchmarks.long_life --home /tmp/long-life
    .venv/bin/python -m benchmarks.long_life --home /tmp/long-life --runs 5 --commands predict,status

long_life_home.py says what is in the large home: 2,000 versions, 10,000 runs, 50,000 forecasts. Both homes are built
once, which takes some ten minutes, and kept in the folder that --home names. In the small one there are two versions
and 59 forecasts, all of the same security. In both the product itself trained the two newest versions.

Each command is a process against one Prefect server that runs already; small and large take turns. Before each `score`
there are new prices to fill in; before each `clean` a week's worth has expired, 25 runs and 5 versions; `promote`
gives Production from one of the two versions to the other by --force, which still asks the gate. Prints a table:
medians, ranges, the ratio, and whether it is within the limits.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.long_life_home import MODEL, VERSIONS, add_expired, check_copies, fill, insert_rows, recent_rows
from benchmarks.processes import Measured, measure, prefect_server, told

TOMORROW = [sys.executable, "-m", "tomorrow"]
SAMPLE = ["--source", "sample"]
TRAIN = [*TOMORROW, "train", *SAMPLE, "--preset", "daily", "--again", "--json"]
COMMANDS = {
    "predict": [*TOMORROW, "predict", *SAMPLE, "--json"],
    "status": [*TOMORROW, "status", "--json"],
    "history": [*TOMORROW, "history", MODEL, "--json"],
    "promote": [*TOMORROW, "promote", MODEL, "{other}", "--force", "--reason", "measured", "--json"],
    "score": [*TOMORROW, "score", *SAMPLE, "--json"],
    "clean": [*TOMORROW, "clean", "--json"],
    "train": TRAIN,
    "catchup": [*TOMORROW, "catchup", *SAMPLE, "--preset", "daily", "--json"],
}
# The limits: this many times the time in the small home, and this many seconds more.
WANTED = {name: (3.0, 5.0) if name in ("score", "clean") else (1.5, 0.0) for name in COMMANDS}
SIDES = ("small", "large")


def main() -> None:
    """Build what is missing, measure, and print the table."""
    options = _options()
    # This shell's settings must not decide where the runs go.
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "TOMORROW_"))]:
        del os.environ[name]
    options.home.mkdir(parents=True, exist_ok=True)
    with prefect_server(options.home / "prefect") as server:
        os.environ.update(server)
        _build(options.home.resolve())
        taken: dict[str, dict[str, list[Measured]]] = {}
        for name in options.commands.split(","):
            taken[name] = {side: [] for side in SIDES}
            for number in range(options.runs):
                for side in SIDES if number % 2 == 0 else reversed(SIDES):
                    taken[name][side].append(_measure(name, options.home.resolve() / side))
                _show(name, {side: runs[-1] for side, runs in taken[name].items()})
    _print(taken)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, required=True, metavar="FOLDER", help="where both homes are, or are built")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--commands", default=",".join(COMMANDS))
    return parser.parse_args()


def _build(folder: Path) -> None:
    """Make the seed, the small home and the large one, where they are missing."""
    seed = folder / "seed"
    if not (seed / "done").exists():
        _train_two(seed)
        _say("a scoring, for the seed", COMMANDS["score"], seed)
        (seed / "done").touch()
    for side in SIDES:
        home = folder / side
        if (home / "done").exists():
            continue
        os.environ["TOMORROW_HOME"] = str(home)
        if side == "large" and not (home / "filled").exists():
            _open_stores()
            begun = time.perf_counter()
            fill(home, seed)
            check_copies(home, seed)
            (home / "filled").touch()
            print(f"large: filled in {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
        _train_two(home)
        _say(f"{side}: the first scoring", COMMANDS["score"], home)
        _say(f"{side}: the first cleaning", COMMANDS["clean"], home)
        (home / "done").touch()


def _train_two(home: Path) -> None:
    """Two versions by the product itself, the first in Production, and its forecasts of the newest sessions."""
    os.environ["TOMORROW_HOME"] = str(home)
    first = _say(f"{home.name}: a training", TRAIN, home)
    _say(f"{home.name}: another training", [*TRAIN, "--seed", "1"], home)
    rows = recent_rows(first["version"], first["run_id"])
    insert_rows(f"sqlite:///{home}/ledger.db", [row for row in rows if row.observed is not None])


def _open_stores() -> None:
    """MLflow's database and the experiment, as the product makes them."""
    from tasks.ledger.forecasts import Ledger
    from tasks.settings import read_settings
    from tasks.tracking.client import open_tracking

    settings = read_settings()
    open_tracking(settings).experiment_id()
    Ledger(settings.ledger_uri)


def _say(what: str, command: list[str], home: Path) -> dict[str, Any]:
    run = measure(command, {"TOMORROW_HOME": str(home)})
    print(f"{what}: {run.seconds:.1f} s", file=sys.stderr, flush=True)
    return dict(json.loads(run.output))


def _show(name: str, runs: dict[str, Measured]) -> None:
    told = ", ".join(f"{side} {run.seconds:.1f} s (processor {run.cpu:.1f})" for side, run in runs.items())
    print(f"{name}: {told}", file=sys.stderr, flush=True)


def _measure(name: str, home: Path) -> Measured:
    """One command, after what makes it a day's work."""
    from tasks.ledger.forecasts import Ledger

    os.environ["TOMORROW_HOME"] = str(home)
    ledger = Ledger(f"sqlite:///{home}/ledger.db")
    command = COMMANDS[name]
    if name == "score":
        known = {row.session for row in ledger.rows(MODEL)}
        rows = recent_rows(*_in_production(home))
        insert_rows(f"sqlite:///{home}/ledger.db", [row for row in rows if row.session not in known][:1])
    elif name == "clean":
        add_expired(home, 25, 5)
    elif name == "promote":
        now, _ = _in_production(home)
        first = 1 if home.name == "small" else VERSIONS + 1
        command = [part.format(other=first + 1 if now == first else first) for part in command]
    return measure(command, {"TOMORROW_HOME": str(home)})


def _in_production(home: Path) -> tuple[int, str]:
    """The version in Production and its run."""
    import sqlite3

    with sqlite3.connect(home / "mlflow.db") as connection:
        found = connection.execute(
            "SELECT version, run_id FROM model_versions WHERE name = ? AND current_stage = 'Production'", (MODEL,)
        ).fetchone()
    return int(found[0]), str(found[1])


def _print(taken: dict[str, dict[str, list[Measured]]]) -> None:
    print("| command | small home, s | large home, s | ratio | processor time, s | ratio | wanted | |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- | --- |")
    for name, sides in taken.items():
        wall = {side: [run.seconds for run in runs] for side, runs in sides.items()}
        cpu = {side: statistics.median(run.cpu for run in runs) for side, runs in sides.items()}
        small, large = (statistics.median(wall[side]) for side in SIDES)
        times, more = WANTED[name]
        wanted = f"{times:g} times" + (f" and {more:g} s" if more else "")
        held = "held" if large <= times * small + more else "NOT HELD"
        cells = [told(wall[side], 1) for side in SIDES] + [f"{large / small:.2f}"]
        cells += [f"{cpu['small']:.1f} and {cpu['large']:.1f}", f"{cpu['large'] / cpu['small']:.2f}", wanted, held]
        print(f"| `{name}` | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
