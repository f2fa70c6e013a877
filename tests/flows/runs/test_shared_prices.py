"""What a shared network is fitted on: where too many securities have no prices, the error says it in one sentence."""

import logging
from pathlib import Path

import pytest

from flows import fit_shared
from model.config import PRESETS, EvaluationConfig, PriceRequest
from model.errors import PricesUnavailable, TooFewPrices
from tasks.settings import Settings


def test_the_first_security_without_prices_is_told_without_its_own_advice(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    def no_prices(*_: object) -> None:
        raise TooFewPrices("prices of ONE", have="12 sessions", need="at least 300", remedy="give more history")

    monkeypatch.setattr(fit_shared, "get_run_logger", lambda: logging.getLogger("a run"))
    monkeypatch.setattr(fit_shared, "fetch", no_prices)
    requests = tuple(
        PriceRequest(ticker=name, source="csv", files=(f"{tmp_path}/{name}.csv",)) for name in ("ONE", "TWO")
    )
    with pytest.raises(PricesUnavailable) as error:
        list(fit_shared._parts(requests, PRESETS["anchored"], EvaluationConfig(), settings))
    assert error.value.have == (
        "2 of its 2 securities have no prices that can be used; the first: prices of ONE: 12 sessions"
    )
