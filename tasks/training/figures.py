"""The figures of a training, logged with its run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from model.artifact.recipes import Recipe
from model.evaluation.evaluation import Evaluation
from model.evaluation.split import Split
from model.figures.gradients import gradients_figure
from model.figures.training import training_figures
from model.forecaster.forecaster import LossCourse
from model.training.gradients import GradientNorms
from tasks.tracking.artifacts import log_figures

if TYPE_CHECKING:
    from mlflow import MlflowClient

# What a run's note says where there is no figure of gradients, and where there are no figures yet.
OTHER_BACKEND = "\nThere is no figure of gradients: only the TensorFlow backend makes one.\n"
ALL_ZERO = "\nThere is no figure of gradients: all are zero, since the fit kept its first weights.\n"
LATER = "\nIts figures are not drawn yet, as for each of several securities: `tomorrow figures {model}` draws them.\n"


def log_training_figures(
    client: "MlflowClient",
    run_id: str,
    split: Split,
    recipe: Recipe,
    courses: Sequence[LossCourse],
    judged: Evaluation,
    norms: GradientNorms | None,
) -> str:
    """Draw and log every figure of a training; what its note says of those that there are not.

    norms: lengths of gradients; None on a backend other than TensorFlow
    """
    figures = dict(training_figures(split, recipe, courses, judged))
    drawn = None if norms is None else gradients_figure(norms, f"{split.prices.security.ticker} {recipe.column}")
    if drawn is not None:
        figures["gradients"] = drawn
    log_figures(client, run_id, figures)
    if norms is None:
        return OTHER_BACKEND
    return ALL_ZERO if drawn is None else ""
