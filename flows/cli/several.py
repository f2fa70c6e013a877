"""What a command does for each of several securities: one flow run, a task run for each, by processes side by side.

A network as small as ours keeps one processor busy, and hardly a second one. A process does one security after the
other and has loaded everything once; weights and forecasts are those of a command for one alone.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

from flows.cli.configuration import cluster_address, jobs
from flows.cli.result import CommandResult, failure, together
from model.config import PriceRequest
from model.errors import TomorrowError

if TYPE_CHECKING:
    from tasks.settings import Settings
    from tasks.system.cluster.cluster import Cluster

T = TypeVar("T")
# What a process that only forecasts or scores loads when it starts.
LOADED_TO_FORECAST = "tasks.forecasts.preload"


@contextmanager
def processes_for(
    securities: int,
    settings: "Settings",
    processes: int | None,
    cluster: str | None,
    *,
    fits: bool,
    meanwhile: Callable[[], object] = lambda: None,
) -> "Iterator[Cluster | None]":
    """The processes for so many securities, and the block in which flows may run; None: this process alone.

    processes, cluster: as the options give them
    meanwhile:          imports what is slow to import where this process does it all
    """
    # The backend is asked for GPUs, which takes seconds: for several alone.
    count, address = jobs(processes, fits=fits and securities > 1), cluster_address(cluster, settings)
    one = securities == 1
    with beside_server(None if one else address, min(count, securities), fits=fits, meanwhile=meanwhile) as made:
        yield made


@contextmanager
def beside_server(
    address: str | None, count: int, *, fits: bool, meanwhile: Callable[[], object] = lambda: None
) -> "Iterator[Cluster | None]":
    """The processes of `cluster_for`, and the block in which flows may run.

    Prefect's server keeps one processor busy while it starts; processes of this machine start at the same time.

    meanwhile: as for `processes_for`
    """
    from tasks.system.cluster.choose import cluster_for
    from tasks.system.prefect_server import orchestrated

    with ExitStack() as ends:
        found: list[Cluster | None] = []

        def start() -> None:
            loads = () if fits else (LOADED_TO_FORECAST,)
            found.append(ends.enter_context(cluster_for(address, count, fits=fits, loads=loads)))
            if found == [None]:
                meanwhile()

        if address is not None:  # a cluster that refuses is told of at once
            start()
        with orchestrated(meanwhile=(lambda: None) if found else start):
            yield found[0]


def for_each_security(
    command: str,
    given: Mapping[PriceRequest, T],
    work: Callable[[T], CommandResult],
    cluster: "Cluster | None",
    pause: float,
) -> CommandResult:
    """The work for each request, with one result for all in their order; a failure does not stop the others.

    One alone answers, or fails, as if there were no others.

    work:  a function of a module, which the processes import by its name
    pause: seconds between two that begin, where each begins with asking Yahoo
    """
    if len(given) == 1:
        (one,) = given.values()
        return work(one)
    from flows.runs.side_by_side.errand import Errand
    from flows.runs.side_by_side.several import do_for_each

    done, asked = 0, -math.inf
    asks = any(request.source == "yahoo" for request in given)

    def begin(_number: int) -> None:
        nonlocal asked
        if asks:
            time.sleep(max(0.0, asked + pause - time.monotonic()))
            asked = time.monotonic()

    def show(ticker: str) -> None:
        nonlocal done
        done += 1
        sys.stderr.write(f"{ticker}: {done} of {len(given)} securities done\n")

    by_ticker = {request.ticker: what for request, what in given.items()}
    errand = Errand(work=work, given=by_ticker, cluster=cluster, begin=begin, done=show)
    outcomes = do_for_each(command, errand)
    pairs = zip(given, outcomes, strict=True)
    return together([failure(request, to) if isinstance(to, TomorrowError) else to for request, to in pairs])
