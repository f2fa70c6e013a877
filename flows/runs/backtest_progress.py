"""How far a backtest is, and how long it will take: a bar on a terminal, a line for each fit elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from prefect import runtime
from prefect.logging import get_run_logger

from model.backtest.plan import Fit

OnFit = Callable[[Fit], None]


class Pace:
    """How long what is left will take, if it goes on as it went so far."""

    def __init__(self, pending: Sequence[Fit], clock: Callable[[], float] = time.monotonic) -> None:
        self.total = len(pending)
        self.done = 0
        self._clock = clock
        self._start = clock()
        self._effort = sum(fit.effort for fit in pending)
        self._effort_done = 0

    def count(self, fit: Fit) -> None:
        """Note that a fit is done."""
        self.done += 1
        self._effort_done += fit.effort

    @property
    def left(self) -> str:
        """The time left, for people; nothing is known of it before the first fit is done."""
        if not self._effort_done:
            return "time left: not known yet"
        seconds = (self._clock() - self._start) * max(0, self._effort - self._effort_done) / self._effort_done
        minutes, seconds = divmod(round(seconds), 60)
        return f"about {minutes} min {seconds:02d} s left" if minutes else f"about {seconds} s left"


@contextmanager
def backtest_progress(pending: Sequence[Fit]) -> Iterator[OnFit]:
    """Show fits as they are done; to standard error or to Prefect, never to standard output."""
    pace = Pace(pending)
    if sys.stderr.isatty() and pending:
        with _bar(pace) as show:
            yield show
    else:
        yield _log(pace)


@contextmanager
def _bar(pace: Pace) -> Iterator[OnFit]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("backtest"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("fits"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("backtest", total=pace.total, left=pace.left)

        def show(fit: Fit) -> None:
            pace.count(fit)
            progress.update(task, completed=pace.done, left=pace.left)

        yield show


def _log(pace: Pace) -> OnFit:
    logger = get_run_logger()
    # At the command line Prefect's own log is kept from the terminal.
    aloud = runtime.deployment.id is None

    def show(fit: Fit) -> None:
        pace.count(fit)
        what = f"{'statistical forecasts' if fit.config is None else f'{fit.names[0]}, seed {fit.seed}'}"
        line = f"fit {pace.done} of {pace.total}: {what}, fitted for {fit.origins[0].name}; {pace.left}"
        logger.info(line)
        if aloud:
            sys.stderr.write(f"{line}\n")

    return show
