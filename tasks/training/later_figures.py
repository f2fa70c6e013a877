"""Draws the figures of a training after it, from what its run and its version keep.

They take longer to draw than everything else that a training logs. So the training of one security draws them, and
those of several securities are drawn when somebody wants to see them.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from model.artifact.recipes import Recipe
from model.errors import ConfigurationError, UsageError
from model.evaluation.evaluation import evaluate
from model.forecaster.forecaster import Forecaster
from model.network.kept import separate_network
from model.network.numpy_export import in_numpy
from model.training.gradients import gradient_norms
from model.training.warm_start import member_weights
from tasks.backtest.proofs import KeptProof, prove
from tasks.registry.proof_record import draw_evidence
from tasks.registry.version import RegisteredVersion
from tasks.system.keras_backend import load_backend
from tasks.tracking.checked_files import trained_as
from tasks.tracking.client import Tracking
from tasks.tracking.run_inputs import reload_test
from tasks.training.figures import LATER, log_training_figures
from tasks.training.previous import read_results
from tasks.training.run import TrainingResults
from tasks.training.stored_network import load_parts

if TYPE_CHECKING:
    from mlflow.entities import Run

NOTE = "mlflow.note.content"


def draw_later(tracking: Tracking, version: RegisteredVersion, at: datetime) -> str:
    """Draw and log the figures of a version's training and of its proof; the id of the run that shows them.

    Nothing is fitted for it: of a proof that is not kept there is no figure.

    ConfigurationError where the version was not trained here, its run was deleted, or its files were changed;
    UsageError where an earlier release trained it. `at`: the time now.
    """
    client, settings = tracking.client, tracking.settings
    results = read_results(tracking, version)
    run_id = trained_as(settings, version.model_uri, version.source).run_id
    _check(version, client.get_run(run_id), results)
    load_backend()
    config, split = reload_test(tracking, run_id, version.model_uri)
    network, written = load_parts(settings, version.model_uri, version.source)
    recipe, forecaster = Recipe.from_json(written), config.forecaster
    weights = member_weights(network)
    seeds, shape = forecaster.training.seeds, (forecaster.lookback, recipe.features, recipe.outputs)
    fitted = Forecaster(
        config=forecaster,
        recipe=recipe,
        weights=weights,
        predictor=in_numpy(forecaster.network, weights) or separate_network(forecaster.network, *shape, seeds, weights),
        courses=results.courses,
        fit_seconds=results.fit_seconds,
        trained_until=split.train.last,
    )
    judged = evaluate(fitted.predict, split, forecaster.column)
    norms = gradient_norms(fitted, split.train)
    lacks = log_training_figures(client, run_id, split, recipe, results.courses, judged, norms)
    said = client.get_run(run_id).data.tags.get(NOTE, "")
    client.set_tag(run_id, NOTE, said.replace(LATER.format(model=version.model), lacks))
    kept = prove(tracking, split.prices, forecaster, at, kept_only=True)
    if isinstance(kept, KeptProof):
        draw_evidence(tracking, version, kept, (run_id, kept.run_id))
    return run_id


def _check(version: RegisteredVersion, run: "Run", results: TrainingResults) -> None:
    """An error where there is no run to show figures with, or no losses to draw."""
    subject = f"figures of {version.model} version {version.version}"
    if run.info.lifecycle_stage != "active":
        raise ConfigurationError(
            subject,
            have=f"the run of its training, {run.info.run_id}, was deleted in MLflow",
            need="that run, which shows the figures",
            remedy=f"mlflow runs restore --run-id {run.info.run_id}; or train again: tomorrow train --again",
        )
    if not results.courses:
        raise UsageError(
            subject,
            have="an earlier release trained it, which drew its figures at once and kept no losses",
            need="a version whose figures were left for later",
            remedy="look at the figures that its run shows; or train again: tomorrow train --again",
        )
