"""Only what was made before its session, and whose price came, counts: by one rule for `status` and `score`."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from model.evaluation.evidence.live import LiveRecord
from tasks.forecasts.overview import forecast_overviews
from tasks.forecasts.scoring import score_forecasts
from tasks.forecasts.summary import cone_of, judge_rows, summarise
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.tracking.client import Tracking
from tests.tasks.forecasts.recorded import PRICES, ahead, crps_by_hand, distributed, forecast

MODEL = "TEST-Open"
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def over(row: RecordedForecast, price: float) -> RecordedForecast:
    return replace(row, observed=price, observed_at=row.made_at)


def test_forecasts_of_two_versions_become_one_evaluation_with_what_all_of_them_have() -> None:
    first, second = forecast(40), forecast(41, version=2)
    first = distributed(replace(first, naives={"newest_Close": first.naive}))
    judged = judge_rows([over(row, 100.0) for row in (second, first)])
    assert judged.forecast.tolist() == [140.0, 141.0]
    assert list(judged.naive) == ["newest_Close"]
    assert judged.coverage(0.95).n == 1


def test_of_one_session_the_forecast_from_the_newest_prices_counts() -> None:
    newer = forecast(40)
    older = replace(newer, as_of=newer.as_of - timedelta(days=1), forecast=1.0)
    assert judge_rows([over(newer, 150.0), over(older, 150.0)]).forecast.tolist() == [140.0]


def test_late_ones_and_those_without_a_price_do_not_count() -> None:
    rows = [over(forecast(40), 143.0), over(replace(forecast(41), late=True), 141.0), forecast(42)]
    summary = summarise(MODEL, rows, 20)
    assert (summary.forecasts, summary.scored, summary.rmse) == (3, 1, 3.0)
    assert (summary.counted, summary.newest) == ((rows[0],), rows[2])


def test_nothing_that_counts_has_no_figures() -> None:
    summary = summarise(MODEL, [distributed(forecast(40))], 20)
    assert (summary.scored, summary.judged, summary.rmse, summary.naive_rmse, summary.coverage) == (0, *[None] * 4)
    assert (summary.crps, summary.naive_crps, summary.crps_skill, summary.log_score) == (None,) * 4
    assert (summary.level, summary.newest.level) == (None, 0.95)
    assert (summary.claim, summary.evidence, summary.skills) == (None, None, {})


def test_the_scores_of_distributions_are_those_that_anybody_computes_from_the_rows() -> None:
    rows = [over(distributed(forecast(row), half_80=0.5 + row % 3 / 2), 139.0 + row % 7) for row in range(40, 50)]
    summary = summarise(MODEL, rows, 20)

    def by_hand(distributions: Iterable[Mapping[float, float]]) -> float:
        scores = [crps_by_hand(made, row.observed or 0.0) for made, row in zip(distributions, rows, strict=True)]
        return sum(scores) / len(scores)

    ours = by_hand(row.quantiles for row in rows)
    naive = min(by_hand(row.naive_quantiles[name] for row in rows) for name in rows[0].naive_quantiles)
    assert summary.crps == pytest.approx(ours)
    assert summary.naive_crps == pytest.approx(naive)
    assert summary.crps_skill == pytest.approx(1 - ours / naive)
    assert summary.log_score is not None


def test_forecasts_without_a_distribution_count_by_their_errors_alone() -> None:
    with_one, without = over(distributed(forecast(40)), 141.0), over(forecast(41), 141.0)
    both, alone = summarise(MODEL, [with_one, without], 20), summarise(MODEL, [without], 20)
    assert both.scored == 2
    assert both.crps == pytest.approx(crps_by_hand(with_one.quantiles, 141.0))
    assert both.naive_crps == pytest.approx(crps_by_hand(with_one.naive_quantiles["constant_250"], 141.0))
    assert (alone.rmse, alone.crps, alone.crps_skill, alone.log_score) == (0.0, None, None, None)
    assert alone.naive_crps is not None


def test_a_distribution_at_other_probabilities_is_kept_and_not_scored() -> None:
    fewer = replace(forecast(40), quantiles={0.25: 139.0, 0.5: 140.0, 0.75: 141.0})
    assert summarise(MODEL, [over(fewer, 141.0)], 20).crps is None


def test_the_naive_distribution_counts_among_the_forecasts_and_not_in_their_skill() -> None:
    of_version = over(distributed(forecast(40)), 143.0)
    naive = [over(distributed(replace(forecast(row), version=None)), 0.0) for row in (39, 40, 41)]
    summary, alone = summarise(MODEL, [*naive, of_version], 20), summarise(MODEL, naive, 20)
    assert (summary.forecasts, summary.scored) == (4, 4)
    assert summary.judged is not None
    assert summary.judged.forecast.tolist() == [140.0]
    assert summary.claim == "not distinguishable from chance (evidence 1.0 to 1 on 1 forecast)"
    assert (alone.forecasts, alone.scored, alone.judged, alone.rmse, alone.claim) == (3, 3, None, None, None)


def test_of_one_session_a_version_s_forecast_goes_before_a_naive_one() -> None:
    of_version, naive = forecast(41), replace(forecast(41), version=None)
    later = replace(naive, made_at=naive.made_at + timedelta(minutes=1))
    assert summarise(MODEL, [of_version, later], 20).newest == of_version
    assert summarise(MODEL, [forecast(40), later], 20).newest == later


def test_evidence_is_that_of_all_versions_from_the_first_forecast_on() -> None:
    # The first session is not bet on, and a point that is right beside broad ones wins a little each day.
    rows = [forecast(row, version=1 + (row > 45)) for row in range(40, 50)]
    right = [over(distributed(row, half_80=0.01, half_95=0.02), row.forecast) for row in rows]
    summary, first = summarise(MODEL, right, 20), summarise(MODEL, right[:5], 20)
    assert summary.evidence is not None
    assert first.evidence is not None
    assert summary.evidence > first.evidence > 1
    assert summary.live is not None
    assert len(summary.live) == 10
    assert summary.claim == summary.live.claim(20)
    assert summarise(MODEL, right, summary.evidence).claim != summarise(MODEL, right, 2 * summary.evidence).claim


def test_status_and_score_report_the_same(tracking: Tracking) -> None:
    ledger = Ledger(tracking.settings.ledger_uri)
    made = [distributed(forecast(row), half_95=4.0 + row % 3) for row in range(40, 46)]
    late, waiting = replace(forecast(46), late=True), forecast(47)
    for row in (*made, late, waiting):
        ledger.append(row)
    ledger.fill_in([(row, 141.5) for row in (*made, late)], at=NOW)

    scored = score_forecasts(tracking, MODEL, PRICES, NOW)
    (seen,) = forecast_overviews(tracking.settings)
    assert (scored.forecasts, scored.scored) == (seen.forecasts, seen.scored) == (8, 6)
    assert scored.rmse == seen.rmse == pytest.approx(math.sqrt(sum((141.5 - row.forecast) ** 2 for row in made) / 6))
    assert scored.naive_rmse == seen.naive_rmse
    assert scored.crps == seen.crps == pytest.approx(sum(crps_by_hand(row.quantiles, 141.5) for row in made) / 6)
    assert scored.naive_crps == seen.naive_crps
    assert (scored.coverage, scored.level) == (seen.coverage, seen.level) == (1.0, 0.95)
    assert scored.claim == seen.claim is not None
    assert (scored.evidence, scored.skills) == (seen.evidence, seen.skills)


def test_forecasts_of_later_sessions_are_judged_by_themselves_and_change_nothing_of_the_next_one() -> None:
    rows = [distributed(forecast(row), half_80=0.5 + row % 3 / 2) for row in range(40, 50)]
    first = [over(row, 139.0 + row.forecast % 7) for row in rows]
    week = [ahead(row, 5, 150.0) for row in rows]
    month = [replace(ahead(row, 21, 10.0), version=None) for row in rows[:3]]
    alone, mixed = summarise(MODEL, first, 20), summarise(MODEL, [*month, *week, *first], 20)
    names = ("rows", "counted", "forecasts", "scored", "crps", "naive_crps", "rmse", "coverage", "evidence", "claim")
    for name in (*names, "skills", "level", "newest", "log_score", "crps_skill", "naive_rmse"):
        assert getattr(mixed, name) == getattr(alone, name), name
    assert alone.further == ()
    five, twenty_one = mixed.further
    assert (five.horizon, five.forecasts, five.scored) == (5, 10, 10)
    expected = [crps_by_hand(row.quantiles, 150.0) for row in week]
    assert five.crps == pytest.approx(sum(expected) / 10)
    assert (twenty_one.horizon, twenty_one.scored, twenty_one.judged, twenty_one.claim) == (21, 3, None, None)


def test_a_later_session_is_bet_on_once_by_each_of_as_many_bettors_as_it_is_far_ahead() -> None:
    rows = [distributed(forecast(row), half_80=0.01, half_95=0.02) for row in range(30, 50)]
    right = [ahead(row, 5, row.forecast) for row in rows]
    (five,) = summarise(MODEL, right, 20).further
    nearest = summarise(MODEL, [over(row, row.forecast) for row in rows], 20)
    assert five.live is not None
    assert five.evidence == LiveRecord.of(five.live.judged, 5).evidence.odds  # type: ignore[union-attr]
    assert 1 < five.evidence < nearest.evidence  # type: ignore[operator]


def test_the_cone_is_what_was_made_with_the_newest_forecast_or_stands_in_for_it() -> None:
    newest = distributed(forecast(40, version=3))
    week, month = ahead(newest, 5), replace(ahead(newest, 21), version=None)
    others = (
        replace(week, version=2),
        replace(ahead(forecast(39, version=3)), horizon=10),
        replace(week, version=None),
    )
    assert cone_of(newest, (month, *others, week)) == (week, month)
    assert cone_of(replace(newest, version=4), (month, *others, week)) == (others[2], month)
    assert cone_of(newest, ()) == ()
    # What was recorded with the newest one stands, not what was recorded at another try, before or after.
    earlier, later = (replace(newest, made_at=newest.made_at + timedelta(hours=hours)) for hours in (-1, 1))
    naive = replace(week, version=None)
    assert cone_of(newest, (week, replace(naive, made_at=later.made_at))) == (week,)
    assert cone_of(newest, (replace(week, made_at=later.made_at), naive)) == (naive,)
    assert cone_of(newest, (replace(naive, made_at=earlier.made_at), week)) == (week,)
