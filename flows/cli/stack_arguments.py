"""The options of the commands that look after things: up, status and clean."""

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

Add = Callable[[Any, str, str, str], ArgumentParser]


def stack_commands(commands: Any, add: Add) -> None:
    """Add the commands; `add` makes one of a name, a summary and an example."""
    up = add(
        commands,
        "up",
        "start MLflow's and Prefect's servers and a worker with the schedules, and keep them running",
        "tomorrow up --source sample",
    )
    up.add_argument("--mlflow-port", type=int, metavar="N", help="for MLflow's pages (server.port in mlflow.yaml)")
    up.add_argument("--prefect-port", type=int, metavar="N", help="for Prefect's pages (prefect.port in mlflow.yaml)")
    up.add_argument("--ticker", help="what the deployments fetch in place of Facebook")
    up.add_argument("--source", metavar="yahoo|csv|sample", help="where from; sample needs no internet")
    up.add_argument(
        "--prices", action="append", default=[], metavar="FILE", help="with csv: a file; as often as needed"
    )
    add(
        commands,
        "status",
        "say what runs, what is next, what is in Production, how fresh prices are, how forecasts have done",
        "tomorrow status --json",
    )
    clean = add(
        commands,
        "clean",
        "take away versions, runs, prices and logs that are old and that nothing refers to",
        "tomorrow clean --dry-run",
    )
    clean.add_argument("--older-than", type=int, metavar="DAYS", help="for all of them (default: as in mlflow.yaml)")
    clean.add_argument("--dry-run", action="store_true", help="only list what would be taken away")
