"""What `tomorrow predict` prints of a forecast, in the money of its prices."""

from dataclasses import replace

import pytest

from flows.cli.commands.predict import predict_result
from flows.predict import PredictReport
from model.forecaster.explanation import Explanation
from tasks.prices.fetch import FetchedPrices
from tasks.registry.version import RegisteredVersion
from tests.tasks.forecasts.recorded import PRICES, distributed, forecast


@pytest.mark.parametrize(
    ("currency", "first", "interval", "tails"),
    [
        ("USD", ": $140.00", "80 %: $139.00 to $141.00", "1 in 100: below $137.25; 1 in 100: above $142.75"),
        ("GBp", ": 140.00 GBp", "80 %: 139.00 to 141.00 GBp", "below 137.25 GBp; 1 in 100: above 142.75 GBp"),
        ("JPY", ": 140 JPY", "80 %: 139 to 141 JPY", "below 137 JPY; 1 in 100: above 143 JPY"),
        (None, ": 140.00", "80 %: 139.00 to 141.00", "below 137.25; 1 in 100: above 142.75"),
    ],
)
def test_a_forecast_is_printed_and_told_in_its_currency(
    currency: str | None, first: str, interval: str, tails: str
) -> None:
    made = replace(distributed(forecast(40)), naive=140.0, naives={}, currency=currency)
    fetched = FetchedPrices(prices=PRICES)
    told = predict_result(PredictReport(version=None, fetched=fetched, forecast=made, created=True, seconds={}))
    lines = str(told.text).splitlines()
    assert lines[0].endswith(first)
    assert lines[1] == f"  {interval}"
    assert lines[3].endswith(tails)
    assert told.answer.model_dump()["currency"] == currency


def test_an_explanation_is_printed_as_a_sentence_and_as_a_product_where_it_is_asked_for() -> None:
    factors = {"moves": 1.25, "echo": 1.1, "network": 1.0}
    why = Explanation(usual=0.02, factors=factors, scale=0.0275)
    made = replace(distributed(forecast(40)), explanation=why)
    report = PredictReport(version=None, fetched=FetchedPrices(prices=PRICES), forecast=made, created=True, seconds={})
    plain, told = predict_result(report), predict_result(report, explain=True)
    added = [line for line in str(told.text).splitlines() if line not in str(plain.text).splitlines()]
    assert added == [
        "  1.38 times its usual width: 1.25 from the last sessions' moves, 1.10 from an earnings-like date",
        "    usual scale   2.000 % of the price",
        "    moves         1.250 times",
        "    echo          1.100 times",
        "    network       1.000 times",
        "    scale         2.750 % of the price",
    ]
    for answer in (plain.answer, told.answer):
        assert answer.model_dump()["explanation"] == {"usual": 0.02, "factors": factors, "scale": 0.0275}


@pytest.mark.parametrize(("version", "said"), [(None, "the naive distribution is made of"), (1, "on record: only")])
def test_where_there_is_no_explanation_the_text_says_why_and_the_json_is_null(version: int | None, said: str) -> None:
    made = replace(distributed(forecast(40)), version=version)
    report = PredictReport(version=None, fetched=FetchedPrices(prices=PRICES), forecast=made, created=True, seconds={})
    told = predict_result(report, explain=True)
    assert f"  no explanation{':' if version is None else ''} {said}" in str(told.text)
    assert "no explanation" not in str(predict_result(report).text)
    assert told.answer.model_dump()["explanation"] is None


def test_further_horizons_have_a_line_each_and_an_entry_each_beside_that_of_the_next_session() -> None:
    made = replace(distributed(forecast(40)), naive=140.0, naives={})
    week = replace(made, horizon=5, session=PRICES.day(44))
    told = predict_result(
        PredictReport(
            version=None, fetched=FetchedPrices(prices=PRICES), forecast=made, created=True, seconds={}, further=(week,)
        )
    )
    lines = [line for line in str(told.text).splitlines() if "sessions ahead" in line]
    spans = "80 %: $139.00 to $141.00; 95 %: $138.00 to $142.00"
    assert lines == [f"  5 sessions ahead, {week.session}: $140.00; {spans}; not judged"]
    first, further = told.answer.model_dump()["horizons"]
    assert (first["horizon"], first["session"]) == (1, made.session)
    assert (further["horizon"], further["session"], further["verdict"]) == (5, week.session, None)
    assert further["quantiles"] == week.quantiles
    assert further["intervals"] == week.intervals


def test_a_horizon_says_what_is_known_of_it_and_that_it_is_naive_where_there_is_no_skill() -> None:
    tags = {"verdict": "proven", "evidence": "46", "verdict.5": "undecided", "evidence.5": "2"}
    tags |= {"verdict.2": "proven", "evidence.2": "46"}
    tags |= {
        f"{what}.{ahead}": said for ahead in (10, 21) for what, said in (("verdict", "no skill"), ("evidence", "1"))
    }
    version = RegisteredVersion(
        model="META-Open", version=3, stage="Production", run_id="r", source="models:/m-1", tags=tags
    )
    made = replace(distributed(forecast(40)), version=3)
    by = {2: None, 5: 3, 10: 3, 21: None}
    further = (replace(made, horizon=h, session=PRICES.day(38 + h), version=version) for h, version in by.items())
    told = predict_result(
        PredictReport(
            version=version,
            fetched=FetchedPrices(prices=PRICES),
            forecast=made,
            created=True,
            seconds={},
            further=tuple(further),
        )
    )
    lines = [line for line in str(told.text).splitlines() if "sessions ahead" in line]
    assert lines[0].endswith("; proven now; recorded earlier, when no skill was found: the naive distribution")
    assert lines[1].endswith("; undecided")
    assert lines[2].endswith("; no skill now; recorded earlier, before that was found: the version's own forecast")
    assert lines[3].endswith("; no skill, so this is the naive distribution")
    entries = told.answer.model_dump()["horizons"]
    assert [(entry["version"], entry["verdict"]) for entry in entries] == [
        (3, "proven"),
        (None, "proven"),
        (3, "undecided"),
        (3, "no skill"),
        (None, "no skill"),
    ]


def test_a_forecast_of_the_next_session_alone_is_printed_as_before() -> None:
    made = distributed(forecast(40))
    report = PredictReport(version=None, fetched=FetchedPrices(prices=PRICES), forecast=made, created=True, seconds={})
    told = predict_result(report)
    assert "ahead" not in str(told.text)
    (entry,) = told.answer.model_dump()["horizons"]
    assert (entry["horizon"], entry["forecast"], entry["quantiles"]) == (1, made.forecast, made.quantiles)
