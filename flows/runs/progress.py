"""The loss while it trains: a bar on a terminal, a line now and then in the flow run's log."""

import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from model.training.fit import OnEpoch

LOG_EVERY_SECONDS = 10.0


@contextmanager
def training_progress(epochs: int) -> Iterator[OnEpoch]:
    """Show epochs as they are done; both ways write to standard error or to Prefect, never to standard output."""
    # Side by side, several would draw over one another.
    if sys.stderr.isatty() and multiprocessing.parent_process() is None:
        with _bar(epochs) as show:
            yield show
    else:
        yield _log(epochs)


@contextmanager
def _bar(epochs: int) -> Iterator[OnEpoch]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("training", total=epochs, loss="-")
        yield lambda epoch, loss: progress.update(task, completed=epoch, loss=f"{loss:.5f}")


def _log(epochs: int) -> OnEpoch:
    from prefect.logging import get_run_logger

    logger = get_run_logger()
    last = [time.monotonic()]

    def show(epoch: int, loss: float) -> None:
        if epoch in (1, epochs) or time.monotonic() - last[0] >= LOG_EVERY_SECONDS:
            last[0] = time.monotonic()
            logger.info("epoch %d of %d, loss %.5f", epoch, epochs, loss)

    return show
