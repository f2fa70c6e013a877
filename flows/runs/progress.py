"""The loss while it trains: every tenth of the epochs in the flow run's log, and a bar on a terminal."""

import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from model.training.fit import OnEpoch

LOGGED = 10  # so many lines tell how the loss falls


@contextmanager
def training_progress(epochs: int) -> Iterator[OnEpoch]:
    """Show epochs as they are done; both ways write to standard error or to Prefect, never to standard output."""
    log = _log(epochs)
    # Side by side, several would draw over one another.
    if not sys.stderr.isatty() or multiprocessing.parent_process() is not None:
        yield log
        return
    with _bar(epochs) as draw:

        def show(epoch: int, loss: float) -> None:
            log(epoch, loss)
            draw(epoch, loss)

        yield show


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
    every = max(1, epochs // LOGGED)

    def show(epoch: int, loss: float) -> None:
        if epoch in (1, epochs) or epoch % every == 0:
            logger.info("Epoch %d of %d: loss %.5f", epoch, epochs, loss)

    return show
