"""Figures that are drawn after a training: those of the training itself, and nothing is fitted for them."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from model.config import EvaluationConfig, ForecasterConfig, NetworkConfig, PriceRequest, TrainingConfig
from model.errors import ConfigurationError, UsageError
from model.evaluation.evaluation import evaluate
from model.evaluation.evidence.proof import ProofConfig
from model.evaluation.split import split_prices
from model.training.fit import train_forecaster
from tasks.backtest.cache_key import trial_key, with_refits
from tasks.ledger.kept_files import Trained
from tasks.ledger.trials import Trials
from tasks.registry.registry import Registry
from tasks.registry.version import KEY, RegisteredVersion
from tasks.settings import Settings
from tasks.tracking.checked_files import log_checked
from tasks.tracking.client import Tracking, open_tracking
from tasks.tracking.model_artifact import log_forecaster
from tasks.tracking.run_inputs import RunConfig
from tasks.training.later_figures import draw_later
from tasks.training.previous import read_results
from tasks.training.run import RESULTS_FILE, log_results, log_setup, register_trained, start_training_run
from tests.market import make_prices

AT = datetime(2020, 1, 1, tzinfo=UTC)
MODEL = "TEST-Open"
TRAINING = TrainingConfig(epochs=2, members=2)
CONFIG = ForecasterConfig(lookback=5, network=NetworkConfig(units=(3,)), training=TRAINING)


class Trainings(NamedTuple):
    """One training whose figures were drawn at once, and the same one whose figures were not."""

    tracking: Tracking
    at_once: RegisteredVersion
    later: RegisteredVersion


@pytest.fixture
def trainings(settings: Settings) -> Trainings:
    tracking = open_tracking(settings.model_copy(update={"proof": ProofConfig(sessions=40, history=60)}))
    wanted = EvaluationConfig(test_sessions=21)
    split = split_prices(make_prices(130), wanted, CONFIG.lookback)
    fitted = train_forecaster(split.train, CONFIG)
    judged = evaluate(fitted.predict, split, CONFIG.column)

    def trained(*, draw: bool) -> RegisteredVersion:
        with start_training_run(tracking, split, CONFIG, {}) as run:
            log_setup(
                run, tracking.settings, split, RunConfig(request=PriceRequest(), forecaster=CONFIG, evaluation=wanted)
            )
            made = Trained(model=MODEL, run_id=run.run_id, key="a key", as_of=split.prices.last)
            uri = log_forecaster(tracking.settings, made, fitted, split.train)
            log_results(run, tracking.settings, split, fitted, judged, uri, draw=draw)
            return register_trained(Registry(tracking), tracking.settings, run, split, fitted, uri, {KEY: made.key})

    return Trainings(tracking, trained(draw=True), trained(draw=False))


def pictures(tracking: Tracking, run_id: str, folder: Path) -> dict[str, bytes]:
    place = Path(tracking.client.download_artifacts(run_id, "figures", str(folder)))
    return {file.name: file.read_bytes() for file in place.iterdir()}


@pytest.mark.slow
def test_they_are_those_that_the_training_would_have_drawn_and_no_proof_is_begun(
    trainings: Trainings, tmp_path: Path
) -> None:
    tracking, at_once, later = trainings
    assert tracking.client.list_artifacts(later.run_id, "figures") == []
    runs = len(tracking.client.search_runs([tracking.experiment_id()]))
    assert draw_later(tracking, later, AT) == later.run_id
    first, second = (pictures(tracking, version.run_id, tmp_path) for version in (at_once, later))
    assert {"prices.png", "loss.png", "gradients.png", "crps.png"} <= first.keys()
    assert second == first
    # Its configuration was never proven. A trial makes every later proof of another one harder.
    key = with_refits(trial_key(CONFIG), tracking.settings.proof.refit_every)
    assert Trials(tracking.settings.ledger_uri).of(MODEL, key) is None
    assert len(tracking.client.search_runs([tracking.experiment_id()])) == runs


@pytest.mark.slow
def test_where_the_run_was_deleted_or_keeps_no_losses_it_is_told(trainings: Trainings) -> None:
    tracking, _, later = trainings
    tracking.client.delete_run(later.run_id)
    with pytest.raises(ConfigurationError, match="deleted in MLflow"):
        draw_later(tracking, later, AT)
    tracking.client.restore_run(later.run_id)
    # As a training of an earlier release left its results; it drew its figures at once.
    earlier = read_results(tracking, later).model_copy(update={"courses": ()})
    with TemporaryDirectory() as folder:
        Path(folder, RESULTS_FILE).write_text(earlier.model_dump_json(), encoding="utf-8")
        log_checked(tracking.client, tracking.settings, later.run_id, Path(folder))
    with pytest.raises(UsageError, match="an earlier release"):
        draw_later(tracking, later, AT)
