"""What the tests of the registry share: versions to move, and looks at them through MLflow alone."""

import warnings
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from model.evaluation.decision import DecisionWord
from tasks.ledger.kept_files import KeptFiles, Trained
from tasks.registry.registry import Registry
from tasks.registry.ruling import Ruling
from tasks.registry.version import KEY
from tasks.settings import Stage
from tasks.tracking.client import Tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "META-Open"
PASSED = Ruling(
    decision=DecisionWord.PROMOTED,
    reasons=("PASS evidence of skill: 46 to 1; needed 20 to 1.", "INFO version in Production: none to compare with."),
    at=datetime(2020, 2, 3, 22, 15, tzinfo=UTC),
    by="somebody",
)
NOW = datetime(2020, 2, 4, 14, 0, tzinfo=UTC)


def train(tracking: Tracking, model: str = MODEL) -> int:
    """Register what a training would: a run with a model of its own; no network is needed for it."""
    run = tracking.client.create_run(tracking.experiment_id())
    run_id = run.info.run_id
    logged = tracking.client.create_logged_model(run.info.experiment_id, name="forecaster", source_run_id=run_id)
    tracking.client.set_terminated(run_id)
    packaged = Trained(model=model, run_id=run_id, key="a key", as_of=date(2020, 1, 31))
    KeptFiles(tracking.settings.ledger_uri).package(logged.model_uri, packaged, {"MLmodel": "0" * 64})
    tags = {"preset": "tutorial", KEY: packaged.key}
    return Registry(tracking).register(model, run_id=run_id, model_uri=logged.model_uri, tags=tags).version


def stand(client: "MlflowClient") -> tuple[dict[int, str], dict[int, str], dict[str, int]]:
    """Stages by version, the tag `stage` by version, aliases: as MLflow itself tells them."""
    found = client.search_model_versions(f"name='{MODEL}'")
    aliases = client.get_registered_model(MODEL).aliases
    return (
        {int(version.version): str(version.current_stage) for version in found},
        {int(version.version): version.tags["stage"] for version in found},
        {name: int(version) for name, version in aliases.items()},
    )


def move_by_hand(client: "MlflowClient", version: int, stage: Stage) -> None:
    """What a click in MLflow's own pages does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        client.transition_model_version_stage(MODEL, str(version), stage)


def alias_by_hand(client: "MlflowClient", version: int | None) -> None:
    """What MLflow's newer pages do."""
    if version is None:
        client.delete_registered_model_alias(MODEL, "production")
    else:
        client.set_registered_model_alias(MODEL, "production", str(version))


def by_hand(registry: Registry) -> list[tuple[int, str, str, str]]:
    """What the history says of changes that were not ours."""
    changes = registry.history.changes(MODEL)
    return [(change.version, change.before, change.after, change.decision) for change in changes if change.at == NOW]
