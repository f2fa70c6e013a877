"""Score: fill in what happened, judge the forecasts beside the naive ones, ask for retraining where that is due."""

from dataclasses import dataclass

from prefect import flow

from flows.promote import connect
from flows.runs.alarms import alarm_failure, alarm_no_skill
from flows.runs.artifacts import link_score
from flows.runs.clock import now
from flows.runs.fetch import fetch
from flows.runs.on_schedule import on_schedule
from model.config import Column, PriceRequest
from tasks.forecasts.outcomes import Outcomes, find_outcomes
from tasks.forecasts.scoring import Scored, score_forecasts
from tasks.ledger.forecasts import Ledger
from tasks.prefect_tasks import start_timing, step
from tasks.prices.fetch import FetchedPrices
from tasks.prices.request import resolve
from tasks.settings import read_settings

look_up = step(find_outcomes, "look up what happened")
fill_in = step(Ledger.fill_in, "fill in")
judge = step(score_forecasts, "score")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreReport:
    """What a scoring came to; `filled` is the number of forecasts whose price was filled in now."""

    model: str
    ticker: str
    column: str
    fetched: FetchedPrices
    outcomes: Outcomes
    filled: int
    scored: Scored
    seconds: dict[str, float]


@flow(
    name="score",
    flow_run_name="score {column} of {request.ticker}",
    persist_result=False,
    on_failure=[alarm_failure],
    on_crashed=[alarm_failure],
)
@on_schedule
def score(request: PriceRequest = PriceRequest(), column: Column = "Open") -> ScoreReport:
    """Score what was forecast of one security and column; the same again changes nothing."""
    seconds = start_timing()
    settings = read_settings()
    at = now()
    resolved = resolve(request, settings, at)
    ticker = resolved.security.ticker
    model = settings.model_name(ticker, column)
    # Older prices would do for older forecasts; what is missing is filled in the next time.
    fetched = fetch(resolved, settings, at, "train")
    ledger = Ledger(settings.ledger_uri)
    outcomes = look_up(ledger.rows(model), fetched.prices)
    fill_in(ledger, outcomes.known, at=at)
    scored = judge(connect(settings), model, ledger.rows(model), fetched.prices, at)
    if scored.asked:
        reasons = scored.advice.reasons
        alarm_no_skill(
            model, f"Retraining of {model} is asked for. {' '.join(reasons)}", [("reasons", reasons)], settings
        )
    link_score(model, scored)
    return ScoreReport(
        model=model,
        ticker=ticker,
        column=column,
        fetched=fetched,
        outcomes=outcomes,
        filled=len(outcomes.known),
        scored=scored,
        seconds=seconds,
    )
