"""Score: fill in what happened, judge the forecasts beside the naive ones, ask for retraining where that is due."""

from dataclasses import dataclass

from prefect import flow

from flows.runs.alarms import alarm_failure, alarm_no_skill
from flows.runs.artifacts import link_score
from flows.runs.clock import now
from flows.runs.fetch import fetch
from flows.runs.on_schedule import on_schedule
from flows.runs.story import log_score, start_run
from model.config import Column, PriceRequest
from tasks.forecasts.outcomes import Outcomes
from tasks.forecasts.scoring import Scored
from tasks.ledger.forecasts import Ledger
from tasks.prefect_tasks import connect_task, fill_in_task, find_outcomes_task, score_task
from tasks.prices.fetch import FetchedPrices
from tasks.prices.request import resolve
from tasks.settings import read_settings


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

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noticed about the outcomes, and about the version in Production."""
        production = self.scored.production
        return (*self.outcomes.notes, *(production.notes if production else ()))


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
    seconds = start_run()
    settings = read_settings()
    at = now()
    resolved = resolve(request, settings, at)
    ticker = resolved.security.ticker
    model = settings.model_name(ticker, column)
    # Older prices would do for older forecasts; what is missing is filled in the next time.
    fetched = fetch(resolved, settings, at, "train")
    ledger = Ledger(settings.ledger_uri)
    outcomes = find_outcomes_task(ledger.rows(model), fetched.prices)
    fill_in_task(ledger, outcomes.known, at=at)
    scored = score_task(connect_task(settings), model, ledger.rows(model), fetched.prices, at)
    log_score(scored, len(outcomes.known))
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
