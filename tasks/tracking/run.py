"""One training as an MLflow run: parameters, losses, metrics, and how it ended. Its files: artifacts.py.

Everything goes through a client and an explicit run id: MLflow's active run is bound to a thread, and Prefect runs
tasks on threads of its own.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel

from model.evaluation.split import Split
from tasks.settings import Settings
from tasks.tracking.datasets import dataset_inputs

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, Metric

Status = Literal["FINISHED", "FAILED", "KILLED"]

# The largest batch of parameters or tags that MLflow takes, and of metrics.
BATCH, METRICS = 100, 1000

logger = logging.getLogger(__name__)


def start_run(
    client: "MlflowClient",
    experiment_id: str,
    name: str,
    tags: Mapping[str, str] | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    every: float = 2.0,
) -> "TrackedRun":
    """Create a run, with status RUNNING; use it in a `with` statement, so that it ends in every case.

    every: seconds between two batches of losses
    """
    run = client.create_run(experiment_id, run_name=name, tags=dict(tags or {}))
    return TrackedRun(client, run.info.run_id, experiment_id, run.info.start_time, clock=clock, every=every)


class TrackedRun:
    """A run that is being written.

    Losses are sent in batches, at most one every `every` seconds of the `clock`: a call for each epoch would cost
    more than the epoch. (With short epochs, MLflow's asynchronous logging loses as many after a kill; it also leaves
    gaps, and does not retry while the store is unavailable.) After an exception the run is FAILED, after Ctrl-C or
    another signal KILLED, else FINISHED.
    """

    def __init__(
        self,
        client: "MlflowClient",
        run_id: str,
        experiment_id: str,
        started: int,
        *,
        clock: Callable[[], float],
        every: float,
    ) -> None:
        self.client = client
        self.run_id = run_id
        self.experiment_id = experiment_id
        self._started = started
        self._clock = clock
        self._every = every
        self._opened = clock()
        self._sent = self._opened - every
        self._losses: list[Metric] = []
        self._ended = False

    def log_params(self, *configs: BaseModel | Mapping[str, Any]) -> None:
        """Log every value of the configurations, under dotted names such as `training.epochs`."""
        from mlflow.entities import Param

        params: list[Param] = []
        for config in configs:
            values = config.model_dump(mode="json") if isinstance(config, BaseModel) else config
            params += [Param(key, str(value)) for key, value in flatten(values)]
        for start in range(0, len(params), BATCH):
            self.client.log_batch(self.run_id, params=params[start : start + BATCH])

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags, all in one call."""
        from mlflow.entities import RunTag

        self.client.log_batch(self.run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def log_epoch(self, epoch: int, loss: float) -> None:
        """Note the mean loss of an epoch, counted from 1; it is sent with the next batch."""
        from mlflow.entities import Metric
        from mlflow.exceptions import MlflowException

        self._losses.append(Metric("loss", float(loss), self._now(), epoch))
        if self._clock() - self._sent < self._every:
            return
        try:
            self._flush()
        except MlflowException as error:
            # If the store is unavailable for a moment, the training goes on; the next batch includes these losses.
            self._sent = self._clock()
            logger.warning("losses not logged yet, will try again: %s", error)

    def log_metrics(
        self, metrics: Mapping[str, float], *, model_id: str | None = None, dataset: "Dataset | None" = None
    ) -> None:
        """Log metrics.

        model_id: a logged model whose page shows them, too
        dataset:  the data set of the run that they were measured on
        """
        from mlflow.entities import Metric

        # Losses noted before are sent first.
        self._flush()
        name, digest = (None, None) if dataset is None else (dataset.name, dataset.digest)
        self.client.log_batch(
            self.run_id,
            metrics=[
                Metric(key, float(value), self._now(), 0, model_id=model_id, dataset_name=name, dataset_digest=digest)
                for key, value in metrics.items()
            ],
        )

    def log_datasets(self, split: Split) -> None:
        """Log the training part and the test period as data sets."""
        self.client.log_inputs(self.run_id, dataset_inputs(split))

    def log_note(self, markdown: str) -> None:
        """Set the note that MLflow shows above the run."""
        self.client.set_tag(self.run_id, "mlflow.note.content", markdown)

    def end(self, status: Status = "FINISHED") -> None:
        """Send the remaining losses, and close the run; a closed run stays as it is."""
        if self._ended:
            return
        try:
            self._flush()
        finally:
            self.client.set_terminated(self.run_id, status)
            self._ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from mlflow.exceptions import MlflowException

        if kind is None:
            self.end("FINISHED")
            return
        try:
            # Signals raise KeyboardInterrupt, SystemExit or Prefect's own, which are no subclasses of Exception.
            self.end("FAILED" if issubclass(kind, Exception) else "KILLED")
        except MlflowException as fault:
            # Only logged: the error that ended the training is being raised, and matters more.
            logger.warning("run %s could not be closed: %s", self.run_id, fault)

    def _now(self) -> int:
        """The time in milliseconds since 1970: the run's start plus the clock's time since then."""
        return self._started + int(1000 * (self._clock() - self._opened))

    def _flush(self) -> None:
        # A fast network can have more epochs between two batches.
        while self._losses:
            self.client.log_batch(self.run_id, metrics=self._losses[:METRICS])
            del self._losses[:METRICS]
        self._sent = self._clock()


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested mappings, each with its dotted key."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def run_url(settings: Settings, experiment_id: str, run_id: str) -> str:
    """The address of a run's page: on the tracking server, else where our own server would show it."""
    base = settings.server.address
    if settings.tracking_uri.is_server:
        parts = urlsplit(settings.tracking_uri.bare)
        base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    # Without the parameter MLflow may open its page for language models, which shows no runs.
    return f"{base}/#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"
