"""Earlier trainings of a model: closes the runs of killed ones, and finds a version that need not be trained again."""

import logging
from datetime import date, datetime

from model.errors import ConfigurationError
from model.market.calendar import ExchangeCalendar
from tasks.registry.mlflow_registry import quoted
from tasks.registry.registry import Registry
from tasks.registry.ruling import is_settled
from tasks.registry.version import AS_OF, KEY, RegisteredVersion
from tasks.settings import Settings
from tasks.system.lock import state_id
from tasks.tracking.checked_files import read_checked, version_files
from tasks.tracking.client import Tracking
from tasks.training.cache_key import newest_as_of
from tasks.training.run import RESULTS_FILE, TrainingResults

MODEL, STATE = "model", "x.state"
# Tag: the flow run of several trainings that a training was part of.
WITHIN = "x.prefect.parent_flow_run_id"
# For at most so many sessions, one query each.
MANY = 30

logger = logging.getLogger(__name__)


def run_tags(settings: Settings, model: str, key: str) -> dict[str, str]:
    """The tags by which a later training finds this one's run."""
    return {MODEL: model, STATE: state_id(settings), KEY: key}


def close_killed(tracking: Tracking, registry: Registry, model: str, at: datetime) -> None:
    """Complete what killed trainings left; to be called under the lock that every training of a model holds.

    An interrupted move of stages is completed. Runs that are still RUNNING are closed: their processes held this lock,
    so they have ended. If the version was registered, all was logged before, and the run is FINISHED; else it is
    KILLED.

    at: the time now
    """
    registry.settle(model, at)
    wanted = f"tags.{MODEL} = {quoted(model)} and tags.`{STATE}` = '{state_id(tracking.settings)}'"
    experiment = tracking.experiment_id()
    for run in tracking.client.search_runs([experiment], f"{wanted} and attributes.status = 'RUNNING'"):
        made = registry.of_run(model, run.info.run_id)
        for version in made:
            registry.link(version)
        tracking.client.set_terminated(run.info.run_id, "FINISHED" if made else "KILLED")


def find_previous(
    tracking: Tracking, model: str, key: str, at: datetime, *, again: bool, within: str | None = None
) -> tuple[RegisteredVersion, TrainingResults] | None:
    """The newest version with that key, and its training's results; first calls `close_killed`.

    None where there is none, or its run is gone, or it cannot be used.

    again:  None also where that version has been decided on
    within: the flow run of several trainings that asks; a version of the same one counts even then, since its process
            was killed after it had been trained
    """
    from mlflow.exceptions import MlflowException

    registry = Registry(tracking)
    close_killed(tracking, registry, model, at)
    for version in reversed(registry.tagged(model, KEY, key)):
        named = model, version.version
        try:
            run = tracking.client.get_run(version.run_id)
            if run.info.lifecycle_stage == "active":
                trained = registry.complete(version)
                if trained is None or trained.key != key:
                    logger.info("%s version %d is not on record as this training's: it is not used.", *named)
                    continue
                if again and is_settled(version) and (within is None or run.data.tags.get(WITHIN) != within):
                    return None
                if not is_settled(version):
                    _check(tracking.settings, version)
                results = read_results(tracking, version)
                logger.info("%s version %d is the same training: it is not repeated.", *named)
                return version, results
        except MlflowException:
            # Its run was removed, so its results cannot be shown: train again.
            continue
        except ConfigurationError as error:
            logger.warning("%s: %s: the same training is done again.", error.subject, error.have)
            continue
    return None


def trained_until(registry: Registry, model: str, calendar: ExchangeCalendar, last: date) -> date:
    """The newest session up to `last`, or a later one, that a version of a model was trained on; date.min for none.

    It looks at the newest versions; then, for each later session up to `last`, MLflow looks for a version by its tag.
    If that would be more than MANY queries, all versions are read.
    """
    newest = newest_as_of(registry.newest(model))
    if newest >= last:
        return newest
    between = [] if newest == date.min else calendar.sessions(newest, last)[1:].tolist()
    if newest == date.min or len(between) > MANY:
        return newest_as_of(registry.versions(model))
    return next((day for day in reversed(between) if registry.tagged(model, AS_OF, day.isoformat())), newest)


def read_results(tracking: Tracking, version: RegisteredVersion) -> TrainingResults:
    """The results of a version's training, from its run; ConfigurationError where they are gone or were changed."""
    address = version.model_uri
    content = read_checked(tracking.client, tracking.settings, version.run_id, RESULTS_FILE, address)
    return TrainingResults.model_validate_json(content)


def _check(settings: Settings, version: RegisteredVersion) -> None:
    """ConfigurationError where a version's files are missing or changed, so that the gate could not load it."""
    with version_files(settings, version.model_uri, version.source):
        return
