"""`tomorrow up`: the servers, the deployments, the worker, in this order, until somebody ends it."""

import sys
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from flows.cli.options import validated
from flows.runs.clock import now
from model.config import PriceRequest
from model.errors import UsageError
from model.market.security import SAMPLE
from tasks.operations.stack.parts import Stack, stack, store_of_server
from tasks.operations.stack.ports import check_free
from tasks.operations.stack.state import only_stack
from tasks.operations.stack.supervisor import Supervisor
from tasks.settings import Settings
from tasks.system.process_pool import Workers
from tasks.tracking.database import ready_database


@dataclass(frozen=True, slots=True, kw_only=True)
class UpReport:
    """How a stack ended: by which signal, and how often each part had to be started again."""

    asked: str
    restarts: dict[str, int]


def up(settings: Settings, prefect_elsewhere: str | None, prices: PriceRequest | None) -> UpReport:
    """Run the stack in this process until a signal ends it.

    prices: what the deployments fetch in place of what their flows fetch by themselves
    """
    planned = stack(settings, prefect_elsewhere)
    with only_stack(settings):
        check_free(planned.parts)
        _make_database(settings, planned)
        with Supervisor(settings, planned, now, say) as running:
            say(f"state directory {settings.home}; logs in {settings.home / 'logs'}")
            running.tell(f"starts {', '.join(part.title for part in planned.parts)}: half a minute or more")
            running.start_servers()
            running.deploy({} if prices is None else {"request": prices.model_dump(mode="json", exclude_unset=True)})
            running.start_worker()
            running.tell(_ready(planned))
            running.watch()
        say(f"ended ({running.asked})")
    return UpReport(asked=running.asked or "", restarts=running.restarts())


def with_ports(settings: Settings, options: Namespace) -> Settings:
    """The settings with the ports of the command line in place of the file's."""
    ports = {"server": options.mlflow_port, "prefect": options.prefect_port}
    for name, port in ports.items():
        if port is None:
            continue
        section = getattr(settings, name)
        if not 0 < port < 65536:
            raise UsageError(
                f"port {port}", have="no such port", need="a number from 1 to 65535", remedy="choose another"
            )
        settings = settings.model_copy(update={name: section.model_copy(update={"port": port})})
    return settings


def given_prices(options: Namespace) -> PriceRequest | None:
    """What the deployments are to fetch; None where nothing is said of it."""
    given = {
        "ticker": options.ticker or (SAMPLE.ticker if options.source == "sample" else None),
        "source": options.source,
        # A run starts in a folder of its own.
        "files": tuple(str(Path(file).resolve()) for file in options.prices) or None,
    }
    named = {key: value for key, value in given.items() if value is not None}
    return validated(PriceRequest, named) if named else None


def say(line: str) -> None:
    """A line for whoever watches."""
    sys.stderr.write(f"tomorrow: {line}\n")
    sys.stderr.flush()


def _make_database(settings: Settings, planned: Stack) -> None:
    """See to MLflow's database before its server does, which would migrate an older one without asking.

    In a process of its own: what MLflow takes in memory this one would hold for as long as the stack runs.
    """
    if any(part.name == "mlflow" for part in planned.parts):
        with Workers(1, ready_database, _nothing) as workers:
            list(workers.run([store_of_server(settings)]))


def _nothing() -> None:
    pass


def _ready(planned: Stack) -> str:
    addresses = [f"  {part.title:9} {part.address}" for part in planned.parts if part.address]
    return "\n".join(["the stack is up; Ctrl-C ends it", *addresses])
