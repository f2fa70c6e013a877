"""Whether a series makes a configuration better: by the gate's own measure, and not without proofs of both."""

from datetime import UTC, datetime
from typing import cast

import numpy as np
import pytest

from model.artifact.series_input import SeriesInput
from model.config import PRESETS, ForecasterConfig
from model.evaluation.evaluation import Evaluation
from model.evaluation.evidence.proof import Proof
from tasks.backtest import better_with
from tasks.backtest.better_with import proven_better_with
from tasks.backtest.proofs import KeptProof, NoProof
from tasks.settings import Settings
from tasks.tracking.client import Tracking
from tests.distributions import around
from tests.market import make_prices, weekdays

N = 400
CONFIG = PRESETS["anchored"].model_copy(update={"series": (SeriesInput(name="^VIX"),)})
PRICES = make_prices(N)


class Here:
    """The part of Tracking that is looked at."""

    settings = Settings()


def proof(width: float) -> KeptProof:
    """Distributions of some width around a price that moves by one dollar."""
    actual = 100 + np.random.default_rng(0).normal(0, 1, N)
    quantiles = around(np.full(N, 100.0), 1.28 * width, 1.96 * width)
    judged = Evaluation(
        sessions=weekdays(N), actual=actual, forecast=quantiles[:, 12], naive={"Close": actual}, quantiles=quantiles
    )
    return KeptProof(proof=Proof(judged=judged), run_id="r")


def asked(
    with_it: KeptProof | NoProof, without: KeptProof | NoProof, monkeypatch: pytest.MonkeyPatch
) -> tuple[bool, str]:
    def prove(_: Tracking, __: object, config: ForecasterConfig, *___: object) -> KeptProof | NoProof:
        return with_it if config.series else without

    monkeypatch.setattr(better_with, "prove", prove)
    return proven_better_with(cast("Tracking", Here()), PRICES, CONFIG, datetime(2020, 1, 1, tzinfo=UTC))


def test_better_distributions_are_proven_better(monkeypatch: pytest.MonkeyPatch) -> None:
    better, figures = asked(proof(1.0), proof(3.0), monkeypatch)
    assert better
    assert "needed 20 to 1" in figures
    assert f"on {N} sessions" in figures


@pytest.mark.parametrize("width", [1.0, 3.0])
def test_equal_or_worse_ones_are_not(width: float, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not asked(proof(width), proof(1.0), monkeypatch)[0]


def test_without_a_proof_of_one_of_them_nothing_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    better, figures = asked(proof(1.0), NoProof("the prices are too few"), monkeypatch)
    assert not better
    assert figures == "Whether ^VIX makes it better cannot be proven: the prices are too few."
