"""How far a run is: a bar on a terminal, else a line now and then. To standard error or to Prefect, never to output."""

import math
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.backtest.plan import Fit
    from model.training.fit import OnEpoch
    from model.tuning.trial import TrialResult
    from tasks.backtest.proofs import OnPeriod

LOGGED = 10  # lines that show how the loss falls
LOG_EVERY_SECONDS = 10.0  # while securities are fetched

# Called with how much is done, and the text beside it.
Show = Callable[[int, str], None]
OnFit = Callable[["Fit"], None]
OnTrial = Callable[[int, "TrialResult"], None]


@contextmanager
def training_progress(epochs: int) -> "Iterator[OnEpoch]":
    """Show epochs and their loss as they are done: a bar on a terminal, every tenth of them in the run's log."""
    from prefect.logging import get_run_logger

    logger, tenth = get_run_logger(), max(1, epochs // LOGGED)
    unlogged: list[str] = []

    def log(epoch: int, loss: float) -> None:
        unlogged[:] = [f"Epoch {epoch} of {epochs}: loss {loss:.5f}"]
        if epoch in (1, epochs) or epoch % tenth == 0:
            logger.info(unlogged.pop())

    # Side by side, several would draw over one another.
    draws = sys.stderr.isatty() and multiprocessing.parent_process() is None
    with _bar("training", epochs, "loss -") if draws else nullcontext() as draw:

        def show(epoch: int, loss: float) -> None:
            log(epoch, loss)
            if draw:
                draw(epoch, f"loss {loss:.5f}")

        yield show
    for line in unlogged:  # the last one of a fit that stopped early
        logger.info(line)


@contextmanager
def proof_progress() -> "Iterator[OnPeriod]":
    """Show the fits of a proof as they begin: a bar on a terminal, a line each in the run's log."""
    from prefect.logging import get_run_logger

    logger = get_run_logger()
    draws = sys.stderr.isatty() and multiprocessing.parent_process() is None
    with ExitStack() as shown:
        draw: Show | None = None

        def show(done: int, periods: int) -> None:
            nonlocal draw
            logger.info(f"Proof: fit {done + 1} of at most {periods}, for the next year of its sessions.")
            if draws and draw is None:
                draw = shown.enter_context(_bar("proof", periods, "years fitted"))
            if draw is not None:
                draw(done, "years fitted")

        yield show


@contextmanager
def fetching_progress(total: int) -> Iterator[Show]:
    """Show securities as they are fetched, where there are several; without Prefect."""
    if total > 1 and sys.stderr.isatty():
        with _bar("fetching", total) as draw:
            yield draw
        return
    last = time.monotonic()

    def show(done: int, ticker: str) -> None:
        nonlocal last
        if total > 1 and (done == total or time.monotonic() - last >= LOG_EVERY_SECONDS):
            last = time.monotonic()
            sys.stderr.write(f"tomorrow: {done} of {total} securities, newest {ticker}\n")

    yield show


@contextmanager
def backtest_progress(pending: "Sequence[Fit]") -> Iterator[OnFit]:
    """Show fits as they are done, and how long the rest will take: in the run's log, and on a terminal as a bar."""
    from prefect import runtime
    from prefect.logging import get_run_logger

    logger, pace = get_run_logger(), Pace(pending)
    # At the command line Prefect's own log is kept from the terminal.
    aloud = runtime.deployment.id is None
    drawn = sys.stderr.isatty() and bool(pending)
    bar = _bar("backtest", pace.total, f"fits, {pace.left}", own_time_left=True) if drawn else nullcontext()
    with bar as draw:

        def show(fit: "Fit") -> None:
            pace.count(fit)
            what = "statistical forecasts" if fit.config is None else f"{fit.names[0]}, seed {fit.seed}"
            line = f"fit {pace.done} of {pace.total}: {what}, fitted for {fit.origins[0].name}; {pace.left}"
            logger.info(line)
            if draw is not None:
                draw(pace.done, f"fits, {pace.left}")
            elif aloud:
                sys.stderr.write(f"{line}\n")

        yield show


class Pace:
    """How long the remaining fits will take at the pace so far."""

    def __init__(self, pending: "Sequence[Fit]", clock: Callable[[], float] = time.monotonic) -> None:
        self.total = len(pending)
        self.done = 0
        self._clock = clock
        self._start = clock()
        self._effort = sum(fit.effort for fit in pending)
        self._effort_done = 0

    def count(self, fit: "Fit") -> None:
        """Note that a fit is done."""
        self.done += 1
        self._effort_done += fit.effort

    @property
    def left(self) -> str:
        """The time left, for people; unknown before the first fit is done."""
        if not self._effort_done:
            return "time left: not known yet"
        seconds = (self._clock() - self._start) * max(0, self._effort - self._effort_done) / self._effort_done
        minutes, seconds = divmod(round(seconds), 60)
        return f"about {minutes} min {seconds:02d} s left" if minutes else f"about {seconds} s left"


@contextmanager
def _bar(title: str, total: int, beside: str = "", *, own_time_left: bool = False) -> Iterator[Show]:
    """A bar on the terminal; the time left is reckoned from the count, unless it stands beside."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[beside]}"),
        TimeElapsedColumn() if own_time_left else TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total, beside=beside)
        yield lambda done, text: progress.update(task, completed=done, beside=text)


@contextmanager
def tuning_progress(done: int, trials: int) -> "Iterator[OnTrial]":
    """Show trials as they are done: in the run's log, and on a terminal as a bar."""
    from prefect import runtime
    from prefect.logging import get_run_logger

    logger, best = get_run_logger(), math.inf
    aloud = runtime.deployment.id is None
    with _bar("tuning", trials, "trials") if sys.stderr.isatty() else nullcontext() as draw:

        def show(number: int, result: "TrialResult") -> None:
            nonlocal done, best
            done += 1
            best = min(best, math.inf if result.crps is None else result.crps)
            early = f"ended early, after {len(result.held_back)} epochs"
            came = early if result.crps is None else f"CRPS {result.crps:.4f}"
            line = f"trial {number}, {done} of {trials} done: {came}"
            logger.info(line)
            if draw is not None:
                draw(done, f"trials; the best CRPS of them {best:.4f}")
            elif aloud:
                sys.stderr.write(f"{line}\n")

        yield show
