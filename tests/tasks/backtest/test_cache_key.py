"""A key covers all that a forecast depends on and nothing else, and a stored result has every bit."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.backtest.plan import Key
from tasks.backtest.cache_key import COMPUTED_BY, origin_keys
from tasks.backtest.evaluation_file import evaluation_json, read_evaluation
from tasks.tracking import provenance
from tasks.tracking.provenance import code_digest, sources_digest
from tests.market import changed_from
from tests.project import ROOT
from tests.tasks.backtest.planned import LAST_OF_MARCH, PRICES, fitted, plan


def test_prices_after_a_period_are_no_part_of_its_key() -> None:
    known, more = origin_keys(plan()), origin_keys(plan(prices=changed_from(PRICES, LAST_OF_MARCH)))
    assert known == more
    changed = origin_keys(plan(prices=changed_from(PRICES, LAST_OF_MARCH - 1)))
    assert {key.origin for key in known if known[key] != changed[key]} == {"2020-03"}


@pytest.mark.parametrize(
    "options", [{"window": "sliding:1"}, {"refit": "never"}, {"presets": ("other",)}], ids=["window", "refit", "preset"]
)
def test_whatever_a_forecast_depends_on_is_a_part_of_its_key(options: dict[str, Any]) -> None:
    keys, others = origin_keys(plan()), origin_keys(plan(**options))
    assert len(set(keys.values())) == len(keys)
    assert keys[Key("tutorial", 0, "2020-03")] not in others.values()


def test_the_code_that_forecasts_is_a_part_of_the_key_and_what_draws_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "model"
    shutil.copytree(ROOT / "model", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "project_folder", lambda: tmp_path)

    def digest() -> str:
        sources_digest.cache_clear()
        return code_digest(COMPUTED_BY)

    before = digest()
    (copy / "figures" / "training.py").write_text("", encoding="utf-8")
    assert digest() == before
    with (copy / "artifact" / "inference.py").open("a", encoding="utf-8") as code:
        code.write("# another\n")
    assert digest() != before
    sources_digest.cache_clear()


def test_an_evaluation_survives_its_file_to_the_last_bit() -> None:
    made = plan(seeds=1)
    (evaluation, *_) = fitted(made, made.fits[0]).evaluations.values()
    evaluation = replace(evaluation, forecast=np.nextafter(evaluation.forecast, np.inf))
    back = read_evaluation(evaluation_json(evaluation))
    assert np.array_equal(back.sessions, evaluation.sessions)
    assert np.array_equal(back.forecast, evaluation.forecast)
    assert back.metrics() == evaluation.metrics()
