"""Trainings of several securities side by side: processes of one thread each, which share one Prefect server.

A network as small as ours keeps one processor busy, and hardly a second one. A process trains one security after the
other and has loaded everything once; weights and forecasts are those of a training by itself.
"""

import functools
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from flows.answer import Answer, attempt, together
from model.config import EvaluationConfig, ForecasterConfig, PricesConfig
from tasks.fitting import prepare_fitting
from tasks.orchestrator import orchestrated, prepare_environment
from tasks.settings import read_settings
from tasks.workers import Workers

# What a process holds open for as long as it lives: the block in which it may run flows.
_life = ExitStack()


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What one run of the flow is given."""

    prices: PricesConfig
    forecaster: ForecasterConfig
    evaluation: EvaluationConfig
    again: bool


def train_all(trainings: Sequence[Training], jobs: int, server: str, pause: float) -> Answer:
    """Train them in so many processes at most, and answer for all in the order in which they were given.

    server: the address of the Prefect server that all of them report to
    pause:  seconds between two that begin, since each begins with fetching
    """
    answers: dict[str, Answer] = {}
    prepare = functools.partial(_prepare, server)
    with Workers(min(jobs, len(trainings)), _train_one, prepare) as workers:
        for training, answer in workers.run(trainings, started=lambda _: time.sleep(pause)):
            answers[training.prices.ticker] = answer
            sys.stderr.write(f"{training.prices.ticker}: {len(answers)} of {len(trainings)} securities done\n")
    return together([answers[training.prices.ticker] for training in trainings])


def train_security(training: Training) -> Answer:
    """One training in this process."""
    from flows.output import train_json, train_text
    from flows.train import train

    report = train(
        prices=training.prices, forecaster=training.forecaster, evaluation=training.evaluation, again=training.again
    )
    return Answer(train_json(report), train_text(report, read_settings()))


def _train_one(training: Training) -> Answer:
    """The same of one among several; what went wrong with it is its answer."""
    return attempt(training.prices, lambda _: train_security(training))


def _prepare(server: str) -> None:
    """Load what trains, and find the server."""
    os.environ["PREFECT_API_URL"] = server
    prepare_environment(read_settings())
    prepare_fitting()
    _life.enter_context(orchestrated())
