"""What has become of a model's forecasts: one a session, their scores beside naive, the gate's table."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tasks.ledger.forecasts import RecordedForecast
from tasks.serving.pages.charts import charts
from tasks.serving.pages.record import SESSIONS, one_a_session, read_record
from tasks.settings import Settings
from tests.tasks.forecasts.recorded import crps_by_hand, distributed, forecast
from tests.tasks.serving.pages.given import write_ledger


def test_a_session_is_shown_by_the_forecast_that_counts() -> None:
    made = distributed(forecast(50))
    late = replace(made, late=True, version=3)
    older = replace(made, as_of=made.as_of - timedelta(days=1), version=9)
    newer = replace(made, version=2)
    naive = replace(made, version=None)
    assert one_a_session([late, older, newer, naive, made]) == (newer,)


def test_the_newest_sessions_are_read_and_the_scores_are_those_of_the_definition(settings: Settings) -> None:
    write_ledger(settings, sessions=130)
    record = read_record(settings.ledger_uri, "META-Open", 3, has_forecasts=True)
    assert len(record.rows) == SESSIONS
    assert record.rows[-1].observed is None
    scores = record.scores
    assert scores is not None
    assert len(scores.sessions) == SESSIONS - 1
    first = record.rows[0]
    assert first.observed is not None
    assert scores.own[0] == pytest.approx(crps_by_hand(first.quantiles, first.observed))
    assert scores.naive[0] == pytest.approx(crps_by_hand(first.naive_quantiles["constant_500"], first.observed))
    assert scores.lead[-1] == pytest.approx(sum(scores.naive) - sum(scores.own))


def test_the_charts_hold_what_the_ledger_holds(settings: Settings) -> None:
    write_ledger(settings, sessions=130)
    record = read_record(settings.ledger_uri, "META-Open", 3, has_forecasts=True)
    drawn = charts(record)
    fan = drawn["fan"]
    assert fan["sessions"] == [str(found.session) for found in record.rows]
    assert fan["observed"][-1] is None
    outside = [found.session for found in record.rows if _is_outside(found)]
    assert [day for day, missed in zip(fan["sessions"], fan["outside"], strict=True) if missed] == list(
        map(str, outside)
    )
    assert [change["name"] for change in fan["versions"]] == ["version 1", "version 2", "version 3"]
    assert sum(drawn["pit"]["counts"]) == drawn["pit"]["n"] == SESSIONS - 1
    assert drawn["unit"] == "US dollars"


def _is_outside(found: RecordedForecast) -> bool:
    lower, upper = found.intervals[95]
    return found.observed is not None and not lower <= found.observed <= upper


def test_the_gates_table_is_that_of_the_version_in_production(settings: Settings) -> None:
    write_ledger(settings, sessions=12)
    gate = read_record(settings.ledger_uri, "META-Open", 3, has_forecasts=True).gate
    assert gate is not None
    assert (gate.line.version, gate.line.verdict) == (3, "proven")
    first = gate.checks[0]
    assert (first.result.value, first.name, first.needed) == ("PASS", "evidence of skill", "20 to 1")
    refused = read_record(settings.ledger_uri, "META-Open", 4, has_forecasts=True).gate
    assert refused is not None
    assert [check.holds for check in refused.checks] == [True, False, True, True]


def test_nothing_is_made_where_there_is_no_ledger(settings: Settings) -> None:
    record = read_record(settings.ledger_uri, "META-Open", None, has_forecasts=False)
    assert (record.rows, record.changes, record.gate, record.judged, record.scores) == ((), (), None, None, None)
    assert not (settings.home / "ledger.db").exists()
