"""What a training has taken on this state directory, by what it was called: read from MLflow's runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from tasks.registry.mlflow_registry import quoted
from tasks.registry.version import KEY
from tasks.settings import Settings
from tasks.tracking.client import open_tracking

# How many of the newest trainings count.
NEWEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How many of the newest trainings were looked at, and the median of their wall time, without the proof."""

    trainings: int
    seconds: float


def seconds_taken(settings: Settings, labels: Iterable[str]) -> dict[str, Taken]:
    """What trainings have taken, by their preset's label; one that was not trained here is left out.

    ConfigurationError where MLflow cannot be reached. No database is made.
    """
    place = settings.tracking_uri.file
    if place is not None and not place.exists():
        return {}
    tracking = open_tracking(settings)
    experiment = tracking.client.get_experiment_by_name(settings.tracking.experiment)
    if experiment is None:
        return {}
    found: dict[str, Taken] = {}
    for label in labels:
        runs = tracking.client.search_runs(
            [experiment.experiment_id],
            f"attributes.status = 'FINISHED' and tags.preset = {quoted(label)} and tags.`{KEY}` LIKE '%'",
            max_results=NEWEST,
            order_by=["attributes.start_time DESC"],
        )
        # A run whose process was killed ends when a later training finds it.
        lasted = [(run.info.end_time - run.info.start_time) / 1000 for run in runs if run.info.end_time]
        if lasted:
            found[label] = Taken(trainings=len(lasted), seconds=median(lasted))
    return found
