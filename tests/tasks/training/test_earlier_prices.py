"""Prices are compared with those of the model's newest version that can be read, and refused where they contradict."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from model.errors import RestatedPrices
from model.market.calendar import ExchangeCalendar
from model.market.prices import Prices
from model.market.security import Security
from model.market.synthetic import sample_prices
from tasks.prices.accepted import accept_days
from tasks.prices.fetch_record import Acceptance
from tasks.prices.parquet import write_price_file
from tasks.prices.snapshots import SnapshotStore
from tasks.registry.registry import Registry
from tasks.tracking.checked_files import log_checked
from tasks.tracking.client import Tracking
from tasks.tracking.run_inputs import PRICES_FILE
from tasks.training.earlier_prices import accepted_tags, check_earlier_prices
from tests.tasks.registry.versions import MODEL, train

META = Security(ticker="META")
NOW = datetime(2015, 1, 2, 22, 0, tzinfo=UTC)
MARKET, COLA = (
    replace(sample_prices(date(2014, 12, 31), seed, ExchangeCalendar()), security=META, source="csv", origin="KO.csv")
    for seed in (0, 1)
)
DAY = date(2013, 3, 4)


def trained_on(tracking: Tracking, prices: Prices | None) -> int:
    """A version whose run keeps these prices, or none."""
    number = train(tracking)
    if prices is not None:
        run_id = Registry(tracking).version(MODEL, number).run_id
        with TemporaryDirectory() as folder:
            write_price_file(prices, Path(folder, PRICES_FILE))
            log_checked(tracking.client, tracking.settings, run_id, Path(folder))
    return number


def rewritten(prices: Prices) -> Prices:
    values = prices.values.copy()
    values[prices.sessions == np.datetime64(DAY, "D"), :4] *= 1.01
    return replace(prices, values=values)


def test_a_models_first_prices_contradict_nothing(tracking: Tracking) -> None:
    assert check_earlier_prices(tracking, MODEL, COLA, NOW, accept=False) == ()


def test_another_securitys_prices_are_refused_with_days_and_prices(tracking: Tracking) -> None:
    trained_on(tracking, MARKET)
    trained_on(tracking, None)  # its run keeps none: the version before is asked
    assert check_earlier_prices(tracking, MODEL, MARKET, NOW, accept=False) == ()
    with pytest.raises(RestatedPrices) as caught:
        check_earlier_prices(tracking, MODEL, COLA, NOW, accept=False)
    error = caught.value
    assert error.exit_code == 3
    assert error.subject == "prices of META from csv"
    days = len(MARKET) - 2
    assert error.have.startswith(
        f"{days} days contradict the prices, from csv, that version 1 of META-Open was trained"
    )
    ours, theirs = COLA.column("Open")[0], MARKET.column("Open")[0]
    assert f"- {MARKET.first}: Open {theirs:.4f} became {ours:.4f}" in error.have
    assert "these are prices of META, in the same unit of money: KO.csv" in error.remedy
    assert error.remedy.endswith("run it again with --accept-restatement, which is recorded")
    assert error.data["days"] == [str(day) for day in MARKET.sessions[:-2]]


def test_what_is_accepted_is_noted_and_the_next_prices_are_compared_with_it(tracking: Tracking) -> None:
    trained_on(tracking, MARKET)
    notes = check_earlier_prices(tracking, MODEL, COLA, NOW, accept=True)
    assert notes[0].startswith("contradict the prices that version 1 of META-Open was trained on; accepted by ")
    assert notes[0].endswith(" on 2015-01-02")
    assert accepted_tags(notes)["prices.accepted"].startswith(notes[0])
    trained_on(tracking, COLA)
    assert check_earlier_prices(tracking, MODEL, COLA, NOW, accept=False) == ()
    with pytest.raises(RestatedPrices, match="version 2 of META-Open"):
        check_earlier_prices(tracking, MODEL, MARKET, NOW, accept=False)


def test_a_day_that_was_accepted_as_right_contradicts_nothing(tracking: Tracking) -> None:
    trained_on(tracking, MARKET)
    with pytest.raises(RestatedPrices, match=f"1 day contradicts(?s:.*){DAY}"):
        check_earlier_prices(tracking, MODEL, rewritten(MARKET), NOW, accept=False)
    accept_days(
        "META", [DAY], by="me", at=NOW, reason="a late print", today=date(2015, 1, 2), settings=tracking.settings
    )
    (note, line) = check_earlier_prices(tracking, MODEL, rewritten(MARKET), NOW, accept=False)
    assert note.endswith("that was accepted before")
    assert line.startswith(f"{DAY}: Open ")


def test_what_yahoo_has_rewritten_and_somebody_accepted_when_it_was_fetched_needs_no_second_yes(
    tracking: Tracking,
) -> None:
    yahoo = replace(MARKET, source="yahoo")
    trained_on(tracking, yahoo)
    store = SnapshotStore(tracking.settings)
    store.store(yahoo, at=NOW)
    store.store(rewritten(yahoo), at=NOW, accept=Acceptance(by="me", at=NOW))
    assert check_earlier_prices(tracking, MODEL, rewritten(yahoo), NOW, accept=False)
    with pytest.raises(RestatedPrices):
        check_earlier_prices(tracking, MODEL, replace(rewritten(yahoo), source="csv"), NOW, accept=False)
