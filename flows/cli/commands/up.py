"""`tomorrow up`: the servers, the deployments, the worker, in this order, until somebody ends it.

It imports neither Prefect nor MLflow, which run in processes of their own.
"""

import os
import signal
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context, resource_tracker
from typing import TYPE_CHECKING, Annotated

from pydantic import ValidationError

from flows.cli.command import command
from flows.cli.configuration import given, prepare, validated
from flows.cli.options import Exchange, PriceFiles, count, flag, option
from flows.cli.result import Answer, CommandResult, say
from model.config import PriceRequest
from model.errors import ConfigurationError, UsageError
from model.market.security import SAMPLE, check_sample

if TYPE_CHECKING:
    from model.market.calendar import ExchangeCalendar
    from tasks.operations.stack.parts import Stack
    from tasks.settings import Settings


class UpAnswer(Answer):
    """The object of `tomorrow up --json`: which signal ended the stack, how often each part was started again.

    ended_by: null where nothing was started
    """

    ended_by: str | None
    restarts: dict[str, int]


@command("tomorrow up --source sample --now")
def up(
    mlflow_port: Annotated[
        int | None, count("--mlflow-port", "For MLflow's pages (server.port in mlflow.yaml).")
    ] = None,
    prefect_port: Annotated[
        int | None, count("--prefect-port", "For Prefect's pages (prefect.port in mlflow.yaml).")
    ] = None,
    serving_port: Annotated[int | None, count("--serving-port", "For the board (serving.port in mlflow.yaml).")] = None,
    allowed_hosts: Annotated[
        list[str],
        option(
            "--allowed-hosts",
            "NAME,...",
            "Names by which the servers may be asked for, beside 127.0.0.1, as behind a proxy "
            "(allowed_hosts under server, prefect and serving in mlflow.yaml).",
        ),
    ] = [],  # noqa: B006 - typer makes a list of its own
    ticker: Annotated[
        str | None, option("--ticker", "TICKER", "The security that the schedules use (default: META).")
    ] = None,
    source: Annotated[
        str | None, option("--source", "yahoo|csv|sample", "Where prices come from; sample needs no internet.")
    ] = None,
    prices: PriceFiles = [],  # noqa: B006 - typer makes a list of its own
    exchange: Exchange = None,
    at_once: Annotated[
        bool, flag("--now", "Train and forecast at once; the schedule would wait for the evening.")
    ] = False,
    pages_only: Annotated[
        bool, flag("--pages", "Only the servers, to look at their pages: no worker, no schedules.")
    ] = False,
    deployments_only: Annotated[
        bool,
        flag("--deployments", "Only make the deployments, on servers elsewhere, and end: others start the workers."),
    ] = False,
) -> CommandResult:
    """Start the servers of MLflow, Prefect and the board, and a worker with the schedules, and keep them running.

    Ctrl-C ends all of it.
    """
    wanted = _request(ticker, source, prices, exchange)
    if pages_only and (wanted or at_once):
        raise UsageError(
            "--pages",
            have="together with an option for the worker's runs",
            need="one or the other: with --pages there is no worker",
            remedy="leave out --pages, or the other options",
        )
    if deployments_only and (pages_only or at_once):
        raise UsageError(
            "--deployments",
            have="together with --pages or --now, which start something",
            need="one or the other: with --deployments nothing is started",
            remedy="leave out --deployments, or the other option",
        )
    settings, _ = prepare(() if wanted is None else (wanted,))
    settings = _with_ports(settings, server=mlflow_port, prefect=prefect_port, serving=serving_port)
    settings = _with_hosts(settings, [name.strip() for names in allowed_hosts for name in names.split(",")])
    from flows.runs.clock import now
    from tasks.operations.stack.parts import stack
    from tasks.operations.stack.ports import taken
    from tasks.operations.stack.supervisor import Supervisor
    from tasks.prices.request import resolve
    from tasks.system.access.stack_state import only_stack

    # Wrong options end here, before anything is started.
    calendar = resolve(wanted or PriceRequest(), settings, now()).calendar
    planned = stack(settings, os.environ.get("PREFECT_API_URL"))
    # What the deployments fetch, in place of their flows' defaults.
    parameters = {"request": wanted.model_dump(mode="json", exclude_unset=True)} if wanted else {}
    if deployments_only:
        return _deploy(settings, planned, parameters, calendar)
    if pages_only:
        planned = replace(planned, parts=tuple(part for part in planned.parts if part.address))
    with only_stack(settings), taken(planned.parts) as ports:
        _make_database(settings, planned)
        with Supervisor(settings, planned, now, say, ports) as running:
            say(f"state directory {settings.home}; logs in {settings.home / 'logs'}")
            running.tell(f"starts {', '.join(part.title for part in planned.parts)}: half a minute or more")
            running.start_servers()
            if not pages_only:
                running.deploy(parameters, calendar)
            running.start_worker()
            running.tell("the stack is up; Ctrl-C ends it")
            say("\n".join(["the pages:", *pages(planned, settings.tracking.experiment)]))
            if at_once:
                running.run_now("catchup")
            running.watch()
        say(f"ended ({running.asked})")
    answer = UpAnswer(ended_by=running.asked or "", restarts=running.restarts())
    return CommandResult(answer, f"The stack has ended ({answer.ended_by}).")


def _deploy(
    settings: "Settings", planned: "Stack", parameters: Mapping[str, object], calendar: "ExchangeCalendar"
) -> CommandResult:
    """Make the deployments on a Prefect server elsewhere; ConfigurationError where one of the servers would be ours."""
    from tasks.operations.stack.deployments import deploy
    from tasks.system.state_directory import place_tags

    # Deployments need no board.
    ours = [part.title for part in planned.parts if part.name in ("mlflow", "prefect")]
    if ours:
        raise ConfigurationError(
            "--deployments",
            have=f"no address of {' and '.join(ours)}: a server of this command, which ends with it",
            need="an MLflow and a Prefect server elsewhere, which the workers use, too",
            remedy="set MLFLOW_TRACKING_URI and PREFECT_API_URL to their addresses, or leave out --deployments",
        )
    places = place_tags(settings, (planned.tracking,), planned.api.address)
    variables = {**os.environ, **planned.variables}
    for note in deploy(planned.api, variables, parameters, is_ours=False, calendar=calendar, places=places):
        say(note)
    return CommandResult(UpAnswer(ended_by=None, restarts={}), f"The deployments are on {planned.api.address}.")


def _with_ports(settings: "Settings", **ports: int | None) -> "Settings":
    """The settings with the ports of the command line in place of the file's."""
    for name, port in given(**ports).items():
        section = getattr(settings, name)
        if not 0 < port < 65536:
            raise UsageError(
                f"port {port}", have="no valid port", need="a number from 1 to 65535", remedy="choose another"
            )
        settings = settings.model_copy(update={name: section.model_copy(update={"port": port})})
    return settings


def _with_hosts(settings: "Settings", names: list[str]) -> "Settings":
    """The settings with the names of the command line, if there are any, in place of the file's, for all servers."""
    if not names:
        return settings
    try:
        changed = {
            part: type(section).model_validate({**section.model_dump(), "allowed_hosts": names})
            for part, section in (
                ("server", settings.server),
                ("prefect", settings.prefect),
                ("serving", settings.serving),
            )
        }
    except ValidationError as error:
        fault = error.errors()[0]
        raise UsageError(
            f"--allowed-hosts {fault['input']}",
            have="no name of a host",
            need="names such as mlflow.example.org, with commas between them, each with a port or without",
            remedy="name each host; none stands for all of them",
        ) from None
    return settings.model_copy(update=changed)


def _request(
    ticker: str | None, source: str | None, files: list[str], exchange: str | None = None
) -> PriceRequest | None:
    """What the deployments are to fetch; None where no option says it."""
    if source == "sample" and ticker:
        check_sample(ticker)
    named = given(
        ticker=ticker or (SAMPLE.ticker if source == "sample" else None),
        source=source,
        files=tuple(files) or None,
        exchange=exchange,
    )
    return validated(PriceRequest, named) if named else None


def _make_database(settings: "Settings", planned: "Stack") -> None:
    """Prepare MLflow's database before its server starts, which would migrate an older one without asking.

    In a separate process: this one would keep MLflow's memory for as long as the stack runs.
    """
    from tasks.operations.stack.parts import store_of_server
    from tasks.tracking.database import ready_database

    if not any(part.name == "mlflow" for part in planned.parts):
        return
    # Ctrl-C goes to every process of a terminal: blocked here, it is blocked in the process that is started. The
    # tracker of its resources unblocks it when it starts, so it has to run already.
    resource_tracker.ensure_running()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process = ProcessPoolExecutor(1, get_context("spawn"), initializer=os.dup2, initargs=(2, 1))
        made = process.submit(ready_database, store_of_server(settings))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    with process:
        made.result()


def pages(planned: "Stack", experiment: str) -> list[str]:
    """Where the pages are; links with a key are shown on a terminal only, so that none gets into a log."""
    from tasks.operations.stack.mlflow_pages import HINT, PREFECT_HINT, runs_link
    from tasks.system.access.guard import page_link

    lines, keys = [], planned.keys if sys.stderr.isatty() else None
    for part in planned.parts:
        if part.address and part.name == "mlflow":
            link = runs_link(part.address, experiment, keys.mlflow, planned.salt) if keys else part.address
            lines += [f"  {part.title:9} {link}", f"{'':12}{HINT}"]
        elif part.address and part.name == "serving":
            lines.append(
                f"  {part.title:9} {page_link(part.address, keys.serving, planned.salt) if keys else part.address}"
            )
        elif part.address:
            lines.append(f"  {part.title:9} {part.address}")
            if keys:
                lines.append(f"{'':12}{PREFECT_HINT} {keys.prefect}")
    return lines if keys else [*lines, f"{'':2}They ask for a key. The links and the key: tomorrow status --links"]
