"""Trainings of several securities side by side: processes of one thread each, which share one Prefect server.

A network as small as ours keeps one processor busy, and hardly a second one. A process trains one security after the
other and loads everything only once; weights and forecasts are the same as from a separate training.
"""

import functools
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from flows.cli.result import CommandResult, attempt, together
from model.config import EvaluationConfig, ForecasterConfig, PriceRequest
from tasks.backtest.fit_pool import prepare_fitting
from tasks.settings import read_settings
from tasks.system.prefect_server import OrchestrationServer, orchestrated, prepare_environment
from tasks.system.process_pool import Workers

# A process keeps this open for as long as it lives: the block in which it may run flows.
_life = ExitStack()


@dataclass(frozen=True, kw_only=True)
class Training:
    """What one run of the flow is given."""

    request: PriceRequest
    forecaster: ForecasterConfig
    evaluation: EvaluationConfig
    again: bool
    anew: str = ""


def train_all(trainings: Sequence[Training], jobs: int, pause: float) -> CommandResult:
    """Train them in at most `jobs` processes, with one result for all in the given order.

    pause: seconds between two that begin, since each begins with fetching
    """
    results: dict[str, CommandResult] = {}
    # The processes load Keras while the server starts; each learns where it is with the first training.
    with Workers(min(jobs, len(trainings)), _train_one, _load) as workers, orchestrated() as server:
        given = [(server, training) for training in trainings]
        for (_, done), result in workers.run(given, started=lambda _: time.sleep(pause)):
            ticker = done.request.ticker
            results[ticker] = result
            sys.stderr.write(f"{ticker}: {len(results)} of {len(trainings)} securities done\n")
    return together([results[training.request.ticker] for training in trainings])


def train_security(training: Training) -> CommandResult:
    """One training in this process."""
    from flows.cli.commands.train import train_result
    from flows.train import train

    return train_result(train(**vars(training)), read_settings())


def _train_one(given: tuple[OrchestrationServer, Training]) -> CommandResult:
    """One of several trainings, reported to a server; a failure becomes its result."""
    server, training = given
    _join(server)
    return attempt(training.request, lambda _: train_security(training))


def _load() -> None:
    """Load what trains."""
    prepare_environment(read_settings())
    prepare_fitting()


@functools.cache
def _join(server: OrchestrationServer) -> None:
    """Make this process run its flows against the server; Prefect reads its address when it is imported."""
    server.use()
    _life.enter_context(orchestrated())
