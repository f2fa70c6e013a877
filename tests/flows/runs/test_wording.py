"""Scores in words: CRPS first, each beside the best that is naive."""

from dataclasses import replace

from flows.runs.wording import intervals_in_brackets, live_sentence, live_text, made_by, score_sentences
from model.market.money import Money
from tasks.forecasts.summary import summarise
from tests.tasks.forecasts.recorded import distributed, forecast

DOLLARS = Money.at("USD", 100.0)
METRICS = {
    "rmse": 3.0,
    "naive_rmse": 2.0,
    "newest_Open_rmse": 4.0,
    "newest_Close_rmse": 2.0,
    "crps": 0.9,
    "naive_crps": 1.0,
    "constant_250_crps": 1.25,
    "constant_500_crps": 1.0,
}


def test_the_distribution_comes_first_and_each_stands_beside_the_best_naive() -> None:
    assert score_sentences(METRICS, DOLLARS) == (
        "CRPS $0.900; best naive distribution (the newest Close with its last 500 changes) $1.000; skill +0.100.",
        "RMSE $3.000; best naive forecast (the newest Close) $2.000; skill -0.500 (no skill).",
    )


def test_without_distributions_only_the_errors_are_told() -> None:
    points = {name: value for name, value in METRICS.items() if name != "crps"}
    assert score_sentences(points, DOLLARS) == score_sentences(METRICS, DOLLARS)[1:]


def test_with_too_few_prices_for_a_naive_distribution_the_score_stands_alone() -> None:
    alone = {name: value for name, value in METRICS.items() if not name.startswith(("constant", "naive_crps"))}
    assert score_sentences(alone, DOLLARS)[0] == "CRPS $0.900."


def test_intervals_stand_in_brackets_where_there_are_any() -> None:
    made = forecast(40)
    assert intervals_in_brackets(made) == ""
    wide = distributed(replace(made, forecast=100.0), half_80=1.5, half_95=2.25)
    assert intervals_in_brackets(wide) == " (80 %: $98.50 to $101.50, 95 %: $97.75 to $102.25)"


def test_who_made_a_forecast_is_a_version_or_which_naive_distribution() -> None:
    made = forecast(40)
    assert made_by(made) == "TEST-Open version 1"
    naive = replace(made, version=None)
    assert made_by(naive) == "the naive distribution: no version in Production could forecast it"
    quantiles = naive.naive_quantiles["constant_500"]
    known = {"constant_250": {0.5: 1.0}, "constant_500": quantiles}
    best = replace(naive, quantiles=quantiles, forecast=quantiles[0.5], naive_quantiles=known)
    assert made_by(best) == (
        "the naive distribution, the newest Close with its last 500 changes: no version in Production could forecast it"
    )


def test_scores_and_intervals_are_in_the_money_of_the_prices() -> None:
    pence = replace(distributed(replace(forecast(40), forecast=71.5), half_80=1.5), currency="GBp")
    assert intervals_in_brackets(pence) == " (80 %: 70.00 to 73.00 GBp, 95 %: 69.50 to 73.50 GBp)"
    assert score_sentences(METRICS, Money.at(None, 1.03))[1].startswith("RMSE 3.00000; best naive forecast")


def test_a_claim_stands_with_the_skill_over_each_span_that_is_full() -> None:
    claim = "proven on 70 live forecasts (evidence 46 to 1)"
    assert live_text(claim, {}) == f"Live: {claim}."
    skilled = f"Live: {claim}; CRPS skill +0.012 over the newest 21, -0.003 over the newest 63."
    assert live_text(claim, {21: 0.012, 63: -0.003}) == skilled


def test_without_a_version_s_distribution_nothing_is_claimed() -> None:
    made = forecast(40)
    came = replace(made, observed=140.0, observed_at=made.made_at)
    assert live_sentence(summarise(made.model, [made], 20)) is None
    assert live_sentence(summarise(made.model, [came], 20)) is None
    naive = replace(distributed(made), version=None, observed=140.0, observed_at=made.made_at)
    assert live_sentence(summarise(made.model, [naive], 20)) is None
