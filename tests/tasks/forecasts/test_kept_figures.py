"""Looking at how forecasts have done reads none of them again, until another price is filled in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.forecasts.overview import ForecastOverview, forecast_overviews
from tasks.forecasts.scoring import score_forecasts
from tasks.forecasts.summary import summarise
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.settings import Settings
from tasks.tracking.client import Tracking
from tests.tasks.forecasts.recorded import PRICES, ahead, distributed, forecast

MODEL = "TEST-Open"
NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def ledger(tracking: Tracking) -> Ledger:
    """Six forecasts, of which five have their price."""
    ledger = Ledger(tracking.settings.ledger_uri)
    made = [distributed(forecast(row), half_95=4.0 + row % 3) for row in range(40, 46)]
    for row in made:
        ledger.append(row)
    ledger.fill_in([(row, 141.5) for row in made[:-1]], at=NOW)
    return ledger


def seen(settings: Settings) -> ForecastOverview:
    (found,) = forecast_overviews(settings)
    return found


def as_computed(ledger: Ledger, settings: Settings) -> tuple[object, ...]:
    summary = summarise(MODEL, ledger.rows(MODEL), settings.gate.min_evidence)
    return summary.scored, summary.crps, summary.rmse, summary.evidence, summary.claim, summary.skills


def of(found: ForecastOverview) -> tuple[object, ...]:
    return found.scored, found.crps, found.rmse, found.evidence, found.claim, found.skills


def no_rows(_: object, *_args: object, **_options: object) -> tuple[RecordedForecast, ...]:
    pytest.fail("every forecast is read")


@pytest.mark.parametrize("by", ["status", "score"])
def test_the_second_look_reads_no_forecast_but_the_newest_and_shows_the_same(
    tracking: Tracking, ledger: Ledger, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tracking.settings
    expected = as_computed(ledger, settings)
    if by == "status":
        assert of(seen(settings)) == expected
    else:
        score_forecasts(tracking, MODEL, PRICES, NOW)
    monkeypatch.setattr(Ledger, "rows", no_rows)
    found = seen(settings)
    assert of(found) == expected
    assert (found.forecasts, found.newest.session, found.level) == (6, PRICES.day(45), 0.95)
    # A forecast whose price is not there yet changes no figure.
    ledger.append(distributed(forecast(46)))
    found = seen(settings)
    assert (of(found), found.forecasts, found.newest.session) == (expected, 7, PRICES.day(46))


def test_a_price_that_is_filled_in_changes_the_figures_at_once(tracking: Tracking, ledger: Ledger) -> None:
    before = seen(tracking.settings)
    ledger.fill_in([(row, 150.0) for row in ledger.unfilled(MODEL)], at=NOW + timedelta(days=1))
    after = seen(tracking.settings)
    assert (before.scored, after.scored) == (5, 6)
    assert of(after) == as_computed(ledger, tracking.settings) != of(before)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"of": 1}', None])
def test_a_kept_file_that_is_damaged_or_changed_counts_as_nothing(
    tracking: Tracking, ledger: Ledger, text: str | None
) -> None:
    expected = as_computed(ledger, tracking.settings)
    assert of(seen(tracking.settings)) == expected
    (file,) = Path(tracking.settings.home, "cache").iterdir()
    whole = file.read_text(encoding="utf-8")
    assert '"scored": 5' in whole
    file.write_text(whole.replace('"scored": 5', '"scored": 500') if text is None else text, encoding="utf-8")
    assert of(seen(tracking.settings)) == expected
    assert file.read_text(encoding="utf-8") == whole


def test_other_odds_that_prove_something_are_another_claim(tracking: Tracking, ledger: Ledger) -> None:
    seen(tracking.settings)
    gate = tracking.settings.gate.model_copy(update={"min_evidence": 1.0001})
    other = tracking.settings.model_copy(update={"gate": gate})
    assert of(seen(other)) == as_computed(ledger, other)


def test_of_old_versions_only_those_with_a_new_price_are_asked_for(
    tracking: Tracking, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.registry.registry import Registry

    asked: list[int] = []
    monkeypatch.setattr(Registry, "find", lambda _, __, number: asked.append(number))
    monkeypatch.setattr(Registry, "versions", no_rows)
    newer = [replace(distributed(forecast(row)), version=row) for row in (47, 48)]
    for row in newer:
        ledger.append(row)
    ledger.fill_in([(newer[0], 141.0)], at=NOW + timedelta(days=40))
    ledger.fill_in([(newer[1], 141.0)], at=NOW + timedelta(days=69))
    score_forecasts(tracking, MODEL, PRICES, NOW)
    assert asked == [47, 48], "version 1 was filled in more than thirty days before"


def test_forecasts_of_later_sessions_are_kept_apart_and_change_no_figure_of_the_next_one(
    tracking: Tracking, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = as_computed(ledger, tracking.settings)
    rows = ledger.rows(MODEL)
    for row in rows:
        ledger.append(ahead(replace(row, observed=None, observed_at=None)))
    before = seen(tracking.settings)
    assert (of(before), before.forecasts, before.newest) == (expected, 6, rows[-1])
    assert before.cone == (ahead(rows[-1]),)
    assert before.further[5].scored == 0
    ledger.fill_in([(row, 150.0) for row in ledger.unfilled(MODEL) if row.horizon == 5], at=NOW + timedelta(days=1))
    after = seen(tracking.settings)
    assert (of(after), after.forecasts) == (expected, 6)
    assert (after.further[5].scored, after.further[5].claim) == (
        6,
        "not distinguishable from chance (evidence 1.0 to 1 on 6 forecasts)",
    )
    monkeypatch.setattr(Ledger, "rows", no_rows)
    assert seen(tracking.settings) == after


def test_a_later_session_asks_for_no_retraining_and_is_in_no_window(tracking: Tracking, ledger: Ledger) -> None:
    alone = score_forecasts(tracking, MODEL, PRICES, NOW)
    for row in ledger.rows(MODEL):
        further = ahead(replace(row, observed=None, observed_at=None))
        ledger.append(further)
        ledger.fill_in([(further, 9000.0)], at=NOW)
    scored = score_forecasts(tracking, MODEL, PRICES, NOW)
    assert (scored.advice, scored.asked, scored.scored) == (alone.advice, alone.asked, alone.scored)
    assert scored.windows.keys() == alone.windows.keys()
    assert (scored.further[0].horizon, scored.further[0].scored) == (5, 6)
