"""Chooses where a training starts, and says why: from the weights of the version in Production, or afresh."""

import logging
from dataclasses import dataclass
from datetime import datetime
from zipfile import BadZipFile

from model.config import ForecasterConfig
from model.errors import ConfigurationError, NothingInProduction, TomorrowError
from model.evaluation.split import Split
from model.training.warm_start import Parent, Past
from tasks.registry.registry import Registry
from tasks.registry.version import GENERATION, STARTED_FROM, STARTED_FROM_RUN, RegisteredVersion
from tasks.tracking.checked_files import trained_as
from tasks.tracking.client import Tracking
from tasks.tracking.run import TrackedRun
from tasks.tracking.run_inputs import reload_test
from tasks.training.stored_network import load_weights

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Start:
    """Where a training starts.

    reason:  a sentence
    version: the version in Production that it starts from; None for a fresh start
    parent:  that version's weights and how it was trained; None likewise
    """

    reason: str
    version: RegisteredVersion | None = None
    parent: Parent | None = None

    @property
    def generation(self) -> int:
        """How many trainings before this one its weights come from; 0 for a fresh start."""
        return self.parent.past.generation + 1 if self.parent else 0

    def tags(self) -> dict[str, str]:
        """The tags that record it, on the run and on the version."""
        named = {}
        if self.version is not None:
            named = {
                STARTED_FROM: f"{self.version.model}/{self.version.version}",
                STARTED_FROM_RUN: self.version.run_id,
            }
        return {GENERATION: str(self.generation), "start": self.reason, **named}


def choose_start(tracking: Tracking, run: TrackedRun, split: Split, config: ForecasterConfig, at: datetime) -> Start:
    """Choose where a training starts, and note that on its run. `at`: the time now."""
    if config.training.shared == "shared":
        start = Start(reason="Needs no start: the shared network forecasts as it was fitted.")
    elif config.training.warm_start:
        model = tracking.settings.model_name(split.prices.security.ticker, config.column)
        try:
            version = Registry(tracking).production(model, at)
        except NothingInProduction:
            start = Start(reason="Starts afresh: no version is in Production to start from.")
        else:
            start = _start_from(tracking, version, split, config)
    else:
        start = Start(reason="Starts afresh, as configured.")
    run.set_tags(start.tags())
    if start.version is not None and start.version.model_id is not None:
        from mlflow.entities import LoggedModelInput

        run.client.log_inputs(run.run_id, models=[LoggedModelInput(start.version.model_id)])
    return start


def _start_from(tracking: Tracking, version: RegisteredVersion, split: Split, config: ForecasterConfig) -> Start:
    past = _past(tracking, version)
    refusal = past if isinstance(past, str) else past.refusal(split.train, config)
    if refusal or isinstance(past, str):
        return Start(reason=f"Starts afresh: {refusal}.")
    from mlflow.exceptions import MlflowException

    try:
        parent = Parent(past=past, weights=load_weights(tracking.settings, version.model_uri, version.source))
    except (MlflowException, OSError, TomorrowError, ValueError, KeyError, TypeError, BadZipFile) as error:
        logger.warning("the network of %s cannot be loaded: %s", past.name, error)
        return Start(reason=f"Starts afresh: the network of {past.name} cannot be loaded.")
    return Start(reason=f"Starts from the weights of {past.name}.", version=version, parent=parent)


def _past(tracking: Tracking, version: RegisteredVersion) -> Past | str:
    """How a version was trained, from its run; where that cannot be read, a clause that says why."""
    from mlflow.exceptions import MlflowException

    name = f"{version.model} version {version.version}"
    try:
        run_id = trained_as(tracking.settings, version.model_uri, version.source).run_id
        config, split = reload_test(tracking, run_id, version.model_uri)
    except (MlflowException, OSError, TomorrowError, ValueError) as error:
        logger.warning("run %s of %s cannot be read: %s", version.run_id, name, error)
        return f"the run of {name} cannot be read"
    try:
        generation = version.generation
    except ConfigurationError as error:
        logger.warning("%s: %s", error.subject, error.have)
        return f"the tag {GENERATION!r} of {name} is damaged"
    return Past(name=name, config=config.forecaster, trained_until=split.train.last, generation=generation)
