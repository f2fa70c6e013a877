"""Score: fill in the actual prices, judge the forecasts beside the naive ones, request retraining where needed."""

from dataclasses import dataclass

from prefect import flow

from flows.runs.alarms import alarm_failure, alarm_no_skill
from flows.runs.artifacts import link_score
from flows.runs.clock import now
from flows.runs.daily_report import report_day
from flows.runs.fetch import fetch
from flows.runs.final_state import completed
from flows.runs.on_schedule import on_schedule
from flows.runs.story import log_score, start_run
from model.config import Column, PriceRequest, WrittenRequest
from tasks.forecasts.outcomes import Outcomes
from tasks.forecasts.scoring import Scored
from tasks.ledger.forecasts import Ledger
from tasks.prefect_tasks import connect_task, fill_in_task, find_outcomes_task, score_task
from tasks.prices.fetch import FetchedPrices
from tasks.prices.request import resolve
from tasks.settings import read_settings
from tasks.system.cluster.one_of_several import is_one_of_several


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreReport:
    """The result of a scoring.

    filled: how many forecasts of the next session had their price filled in now; `filled_further`: of later sessions
    """

    model: str
    ticker: str
    column: str
    fetched: FetchedPrices
    outcomes: Outcomes
    filled: int
    scored: Scored
    seconds: dict[str, float]
    filled_further: int = 0

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
def score(request: WrittenRequest = PriceRequest(), column: Column = "Open") -> ScoreReport:
    """Score the forecasts of one security and column; a second run changes nothing.

    Args:
        request: The prices to use: of which security, from which source, as known on which day.
        column: The price whose forecasts are scored. The model has its name, such as META-Open.
    """
    seconds = start_run()
    settings, at = read_settings(), now()
    resolved = resolve(request, settings, at)
    ticker = resolved.security.ticker
    model = settings.model_name(ticker, column)
    # Older prices are enough for older forecasts; the next run fills in what is missing.
    fetched = fetch(resolved, settings, at, "train")
    ledger = Ledger(settings.ledger_uri)
    outcomes = find_outcomes_task(ledger.unfilled(model), fetched.prices)
    fill_in_task(ledger, outcomes.known, at=at)
    tracking = connect_task(settings)
    scored = score_task(tracking, model, fetched.prices, at, draw=not is_one_of_several())
    filled = outcomes.of_next_session
    log_score(scored, filled, len(outcomes.known) - filled)
    if scored.asked:
        alarm_no_skill(model, scored.advice.reasons, settings)
    link_score(model, scored)
    report_day(settings, at, tracking)
    report = ScoreReport(
        model=model,
        ticker=ticker,
        column=column,
        fetched=fetched,
        outcomes=outcomes,
        filled=filled,
        filled_further=len(outcomes.known) - filled,
        scored=scored,
        seconds=seconds,
    )
    requested = "retraining is requested" if scored.advice.retrain else "no retraining is requested"
    return completed(report, f"{model}: {report.filled} of {len(scored.rows)} forecasts filled in; {requested}")
