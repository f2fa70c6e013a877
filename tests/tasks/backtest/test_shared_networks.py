"""A shared network is kept as it was fitted, and used only where it is on record that it was fitted here."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pytest

from model.artifact.market_state import STATE, StateBranch
from model.config import PRESETS, ForecasterConfig
from model.errors import ConfigurationError
from model.forecaster.forecaster import LossCourse
from model.training.fit_shared import SharedFit, shared_configuration
from tasks.backtest import shared_networks
from tasks.backtest.shared_networks import (
    CONFIGURATION,
    KEY,
    NoSharedFit,
    is_complete,
    keep_fit,
    mark_complete,
    missing_fits,
    named_network,
    named_run,
    network_id,
    shared_fit,
    with_network,
)
from tasks.tracking.client import Tracking
from tasks.tracking.provenance import digest

pytestmark = pytest.mark.slow

DAYS = [date(year, 1, 1) for year in (2018, 2019, 2020)]
TICKERS = [("ONE", "11"), ("TWO", "22")]


@pytest.fixture(autouse=True)
def _nothing_read() -> None:
    shared_networks._read.clear()


def config(**changes: object) -> ForecasterConfig:
    anchored = PRESETS["anchored"].model_dump()
    return ForecasterConfig.model_validate(
        {**anchored, "training": {**anchored["training"], "shared": "shared", **changes}}
    )


def fit_before(day: date) -> SharedFit:
    rng = np.random.default_rng(day.year)
    weights = tuple(tuple(rng.normal(size=(2, k)).astype(np.float32) for k in (1, 2, 12)) for _ in range(3))
    branch = StateBranch(
        constant=0.1, weights=(0.25,) * len(STATE), means=(1 / 3,) * len(STATE), deviations=(1.0,) * len(STATE)
    )
    courses = tuple(LossCourse(training=(0.5, 0.25), held_back=(0.5, 1 / 3), kept=2) for _ in range(3))
    return SharedFit(before=day, branch=branch, weights=weights, courses=courses, windows=1234)


@pytest.fixture
def named(tracking: Tracking) -> ForecasterConfig:
    """A network with fits before 2018 and 2020."""
    found = named_network(config(), network_id(config(), ["ONE", "TWO"]))
    for day in (DAYS[0], DAYS[2]):
        keep_fit(tracking, found, fit_before(day), TICKERS)
    return found


def test_a_fit_is_read_again_in_every_digit(tracking: Tracking, named: ForecasterConfig) -> None:
    kept = shared_fit(tracking, named, date(2020, 6, 1))
    assert kept is not None
    made = fit_before(DAYS[2])
    assert (kept.fit.before, kept.fit.branch, kept.fit.courses) == (made.before, made.branch, made.courses)
    np.testing.assert_equal(kept.fit.weights, made.weights)
    assert kept.tags() == {
        "shared": f"{named.training.shared_network}, fitted on sessions before 2020-01-01",
        **named_run(tracking, named),
    }


@pytest.mark.parametrize(
    ("last", "before"),
    [(date(2020, 1, 1), DAYS[2]), (date(2019, 12, 31), DAYS[0]), (date(2018, 1, 1), DAYS[0])],
)
def test_the_newest_fit_forecasts_that_knows_less_than_the_prices(
    tracking: Tracking, named: ForecasterConfig, last: date, before: date
) -> None:
    kept = shared_fit(tracking, named, last)
    assert kept is not None
    assert kept.fit.before == before


def test_where_no_fit_is_old_enough_it_says_what_to_do(tracking: Tracking, named: ForecasterConfig) -> None:
    with pytest.raises(NoSharedFit, match="sessions before 2017-12-31") as error:
        shared_fit(tracking, named, date(2017, 12, 31))
    assert "tomorrow train --shared" in str(error.value)


def test_only_what_is_not_kept_is_fitted(tracking: Tracking, named: ForecasterConfig) -> None:
    assert missing_fits(tracking, named, [*DAYS, DAYS[1]]) == (DAYS[1],)
    other = named_network(config(epochs=3), network_id(config(epochs=3), ["ONE", "TWO"]))
    assert missing_fits(tracking, other, DAYS) == tuple(DAYS)


def test_what_was_complete_and_is_damaged_is_fitted_again(tracking: Tracking, named: ForecasterConfig) -> None:
    assert not is_complete(tracking, named, "once")
    mark_complete(tracking, named, "once", (DAYS[0], DAYS[2]))
    assert is_complete(tracking, named, "once")
    assert not is_complete(tracking, named, "something else")
    (run_id,) = named_run(tracking, named).values()
    place = Path(urlparse(tracking.client.get_run(run_id).info.artifact_uri).path)
    (newest,) = place.glob("shared/2020-01-01-*/weights.npz")
    newest.write_bytes(b"damaged")
    shared_networks._read.clear()
    assert not is_complete(tracking, named, "once")
    assert missing_fits(tracking, named, DAYS) == (DAYS[1], DAYS[2])
    keep_fit(tracking, named, fit_before(DAYS[2]), TICKERS)
    assert is_complete(tracking, named, "once")


def test_the_code_of_another_version_makes_fits_of_its_own(
    tracking: Tracking, named: ForecasterConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_complete(tracking, named, "once", (DAYS[0], DAYS[2]))
    monkeypatch.setattr(shared_networks, "code_digest", lambda *_: "f" * 64)
    assert not is_complete(tracking, named, "once")
    assert missing_fits(tracking, named, DAYS) == tuple(DAYS)


def test_a_network_that_was_deleted_comes_back_as_it_was_or_not_at_all(
    tracking: Tracking, named: ForecasterConfig
) -> None:
    """Otherwise one could have it fitted on other prices until its proof is lucky."""
    (run_id,) = named_run(tracking, named).values()
    tracking.client.delete_run(run_id)
    shared_networks._read.clear()
    assert missing_fits(tracking, named, DAYS) == tuple(DAYS)
    lucky = replace(fit_before(DAYS[2]), weights=fit_before(DAYS[1]).weights)
    with pytest.raises(ConfigurationError, match="these prices give another one"):
        keep_fit(tracking, named, lucky, TICKERS)
    assert missing_fits(tracking, named, DAYS) == tuple(DAYS)
    keep_fit(tracking, named, fit_before(DAYS[2]), TICKERS)
    assert missing_fits(tracking, named, DAYS) == (DAYS[0], DAYS[1])


def test_the_tags_of_others_lend_a_network_to_no_other_configuration(
    tracking: Tracking, named: ForecasterConfig
) -> None:
    other = config(epochs=3)
    (run_id,) = named_run(tracking, named).values()
    theirs = digest(shared_configuration(other).model_dump(mode="json"))
    tracking.client.set_tag(run_id, CONFIGURATION, theirs)
    with pytest.raises(NoSharedFit):
        with_network(tracking, other)
    with pytest.raises(NoSharedFit):
        shared_fit(tracking, named_network(other, str(named.training.shared_network)), date(2020, 6, 1))


def test_the_id_says_which_securities_and_which_configuration(tracking: Tracking, named: ForecasterConfig) -> None:  # noqa: ARG001
    own = network_id(config(), ["ONE", "TWO"])
    assert own == network_id(config(shared="both", seed=3), ["TWO", "ONE"])
    assert len({own, network_id(config(), ["ONE"]), network_id(config(epochs=3), ["ONE", "TWO"])}) == 3


def test_one_security_alone_uses_the_network_made_last(tracking: Tracking, named: ForecasterConfig) -> None:
    assert with_network(tracking, config()) == named
    later = named_network(config(), network_id(config(), ["TRI", "TWO"]))
    keep_fit(tracking, later, fit_before(DAYS[0]), TICKERS)
    assert with_network(tracking, config()) == later
    assert with_network(tracking, named) == named
    with pytest.raises(NoSharedFit, match="none was fitted with this configuration"):
        with_network(tracking, config(epochs=3))
    assert with_network(tracking, PRESETS["anchored"]) == PRESETS["anchored"]
    assert shared_fit(tracking, PRESETS["anchored"], date(2020, 6, 1)) is None


def test_a_file_that_was_changed_is_not_used(
    tracking: Tracking, named: ForecasterConfig, caplog: pytest.LogCaptureFixture
) -> None:
    (run_id,) = named_run(tracking, named).values()
    place = Path(urlparse(tracking.client.get_run(run_id).info.artifact_uri).path)
    (newest,) = place.glob("shared/2020-01-01-*/fit.json")
    newest.write_text(newest.read_text().replace('"constant": 0.1', '"constant": 0.2'))
    kept = shared_fit(tracking, named, date(2020, 6, 1))
    assert kept is not None
    assert kept.fit.before == DAYS[0]
    assert "was changed, and is not used" in caplog.text


def test_a_network_that_others_put_there_is_not_used(tracking: Tracking, named: ForecasterConfig) -> None:
    (run_id,) = named_run(tracking, named).values()
    tags = tracking.client.get_run(run_id).data.tags
    theirs = {KEY: "nfedcba98765", CONFIGURATION: tags[CONFIGURATION]}
    tracking.client.create_run(tracking.experiment_id(), tags=theirs)
    assert with_network(tracking, config()) == named
    with pytest.raises(NoSharedFit, match="knows of none with that id"):
        shared_fit(tracking, named_network(config(), theirs[KEY]), date(2020, 6, 1))
    # A folder that is no fit of ours is passed over.
    for folder in ("not-a-day", "2021-01-01-0123456789ab"):
        tracking.client.log_text(run_id, "{}", f"shared/{folder}/fit.json")
    kept = shared_fit(tracking, named, date(2021, 6, 1))
    assert kept is not None
    assert kept.fit.before == DAYS[2]


def test_the_name_of_a_configuration_is_no_part_of_its_shared_network() -> None:
    mine = config().model_copy(update={"preset": "mine"})
    assert network_id(mine, ["ONE"]) == network_id(config(), ["ONE"])
    assert network_id(config(members=2), ["ONE"]) != network_id(config(), ["ONE"])
