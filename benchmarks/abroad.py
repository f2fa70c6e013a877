"""A month abroad: every run that the schedules start, for securities of six exchanges, from a loopback Yahoo.

    .venv/bin/python -m benchmarks.abroad
    .venv/bin/python -m benchmarks.abroad --ticker SAP.DE --first 2026-10-12 --last 2026-10-30

For each security: deployments as `tomorrow up --ticker` makes them; a version that is trained in a moment and put into
Production by force; then the runs of `predict` and `score` that Prefect's scheduler has planned from these schedules,
in order, each with the clock at the time when it is due. Yahoo's answers come through the real client, and hold what
would be known then. One session's prices come late: for one run, or for exchange rates only for its first tries.
Exchange rates lack two holidays, and have a Close that is a hair above its High.

Ends with 1 unless every session has exactly one forecast, made by the version and in time, with the actual price filled
in. Prefect starts no run before its time: the days have to be past.
"""

import argparse
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.day import QUICK, REASON, process_of_its_own
from benchmarks.processes import prefect_server
from model.config import PriceRequest
from tests.fakes.abroad import LISTINGS, Abroad
from tests.fakes.yahoo import Answer, FakeYahoo, Fault

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from tasks.ledger.forecasts import RecordedForecast

# Over the day when Europe's clocks change, and the one when New York's do; exchange rates over two holidays.
AUTUMN, WINTER = (date(2026, 10, 12), date(2026, 11, 11)), (date(2025, 12, 15), date(2026, 1, 14))
HOLIDAYS = (date(2025, 12, 25), date(2026, 1, 1))
RATES = ("EURUSD=X",)
HAIR = (date(2025, 12, 18), date(2026, 1, 7))
HISTORY = timedelta(days=600)
# The pauses between two tries are left out: the clock stands while a run goes on.
AT_ONCE = {f"TOMORROW_PRICES__RETRIES__{kind}": "[0, 0, 0]" for kind in ("UNAVAILABLE", "RATE_LIMITED")}
MOST = 200  # runs that Prefect gives in one answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """What a month has left for one security.

    sessions: those that are looked at
    rows:   all forecasts in the ledger
    runs:   by deployment and the name of their last state
    shown:  one forecast, as a reader sees it
    wrong:  what is not as it should be
    """

    sessions: list[date]
    rows: "tuple[RecordedForecast, ...]"
    runs: Counter[str]
    shown: str
    wrong: list[str]


def main() -> int:
    """Go through the months, and print the results."""
    options = _options()
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "TOMORROW_"))]:
        del os.environ[name]
    is_right = True
    with tempfile.TemporaryDirectory(prefix="tomorrow-abroad-") as folder, FakeYahoo() as yahoo:
        os.environ.update({"TOMORROW_HOME": str(Path(folder, "home")), **AT_ONCE, **yahoo.proxy(Path(folder))})
        with prefect_server(Path(folder, "prefect")) as server:
            os.environ.update(server)
            with process_of_its_own():
                logging.disable(logging.CRITICAL)
                for ticker in options.ticker or list(LISTINGS):
                    begun = time.perf_counter()
                    first, last = WINTER if ticker in RATES else AUTUMN
                    month = _month(ticker, options.first or first, options.last or last, yahoo)
                    is_right &= not month.wrong
                    print(_line(ticker, month, time.perf_counter() - begun), flush=True)
    return 0 if is_right else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ticker", action="append", choices=list(LISTINGS), help="only these (repeat it)")
    parser.add_argument("--first", type=date.fromisoformat, help="the first day whose forecasts are looked at")
    parser.add_argument("--last", type=date.fromisoformat, help="the last one")
    return parser.parse_args()


def _month(ticker: str, first: date, last: date, yahoo: FakeYahoo) -> Month:
    """Train before the first session, then run whatever is due until the last one is scored."""
    from flows.predict import predict
    from flows.promote import promote
    from flows.runs.clock import clock_at
    from flows.score import score
    from flows.train import train
    from tasks.ledger.forecasts import Ledger
    from tasks.settings import read_settings

    market, sessions, before, late = _market(ticker, first, last)
    planned = _planned(ticker, market.is_over(before), market.is_over(sessions[-1]) + timedelta(hours=30))
    request = PriceRequest(ticker=ticker)
    with clock_at(at := planned[0][0] - timedelta(minutes=2)):
        market.show(yahoo, at)
        version = train(request=request, forecaster=QUICK).version
        promote(model=version.model, version=version.version, force=True, reason=REASON)
    flows, ended, shown = {"predict": predict, "score": score}, Counter[str](), ""
    # No calendar tells an exchange rate's holiday from a late day; in use the pauses between the tries would.
    waits = next((at for at, *_ in planned if at >= market.is_over(late)), None) if ticker in RATES else None
    for at, name, run in planned:
        market.show(yahoo, at)
        if at == waits:
            yahoo.misbehave(Fault(edit=_empty_newest), times=2)
        with clock_at(at):
            state, said = _run(flows[name], run)
        ended[f"{name} {state}"] += 1
        shown = shown or said
    rows = Ledger(read_settings().ledger_uri).rows(version.model)
    return Month(sessions=sessions, rows=rows, runs=ended, shown=shown, wrong=_wrong(market, sessions, rows, ended))


def _empty_newest(answer: Answer) -> None:
    """Take the numbers of the newest row out of Yahoo's answer."""
    indicators = answer["chart"]["result"][0]["indicators"]
    for column in (*indicators["quote"][0].values(), indicators["adjclose"][0]["adjclose"]):
        column[-1] = None


def _market(ticker: str, first: date, last: date) -> tuple[Abroad, list[date], date, date]:
    """The history, the sessions that are looked at, the one before them, and the one that comes late."""
    plain = Abroad.of(ticker, first=first - HISTORY, last=last + timedelta(days=10))
    sessions = [day for day in plain.between(first, last) if ticker not in RATES or day not in HOLIDAYS]
    late = sessions[len(sessions) // 2]
    delay = timedelta(hours=5) if plain.has_night else timedelta(minutes=20)
    market = Abroad.of(
        ticker,
        first=first - HISTORY,
        last=last + timedelta(days=10),
        lacking=HOLIDAYS if ticker in RATES else (),
        outside=HAIR if ticker in RATES else (),
        delayed={} if ticker in RATES else {late: plain.is_over(late) + delay},
    )
    return market, sessions, market.between(first - HISTORY, first - timedelta(days=1))[-1], late


def _planned(ticker: str, start: datetime, end: datetime) -> "list[tuple[datetime, str, FlowRun]]":
    """The runs of predict and score that the schedules of this security mean to start, as Prefect plans them."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterDeploymentId,
        FlowRunFilterExpectedStartTime,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    from tasks.operations.stack.deployments import deploy
    from tasks.operations.stack.prefect_api import PrefectApi
    from tasks.prices.request import resolve
    from tasks.settings import read_settings
    from tasks.system.state_directory import place_tags

    settings = read_settings()
    calendar = resolve(PriceRequest(ticker=ticker), settings, start).calendar
    with get_client(sync_client=True) as client:
        for deployment in client.read_deployments():
            client.delete_deployment(deployment.id)  # another security's: its runs would count as the last ones
        request = {"request": {"ticker": ticker}}
        api = PrefectApi(os.environ["PREFECT_API_URL"])
        places = place_tags(settings, (settings.tracking_uri,), api.address)
        deploy(api, os.environ, request, calendar=calendar, places=places)
        names = {found.id: found.name for found in client.read_deployments() if found.name in ("predict", "score")}
        span = {"start_time": start.isoformat(), "end_time": end.isoformat(), "min_runs": MOST, "max_runs": MOST}
        for identity in names:
            client.request("POST", "/deployments/{id}/schedule", path_params={"id": identity}, json=span)
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                deployment_id=FlowRunFilterDeploymentId(any_=list(names)),
                expected_start_time=FlowRunFilterExpectedStartTime(after_=start, before_=end),
            ),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            limit=MOST,
        )
    due = ((run.expected_start_time, run.deployment_id, run) for run in runs)
    return [(at, names[deployment], run) for at, deployment, run in due if at and deployment]


def _run(flow: Any, run: "FlowRun") -> tuple[str, str]:
    """Carry out a run as the worker would; the name of its last state, and the forecast as a reader sees it."""
    from prefect.flow_engine import run_flow

    from flows.cli.commands.predict import predict_result
    from flows.predict import PredictReport

    state: Any = run_flow(flow, flow_run=run, return_type="state")
    report = state.result(raise_on_failure=False)
    said = str(predict_result(report).text).partition("\n")[0] if isinstance(report, PredictReport) else ""
    if state.is_failed() or state.is_crashed():
        print(f"  {run.expected_start_time:%Y-%m-%d %H:%M} UTC: {state.message}", file=sys.stderr, flush=True)
    return state.name or "", said


def _wrong(market: Abroad, sessions: list[date], rows: "tuple[RecordedForecast, ...]", runs: Counter[str]) -> list[str]:
    """What is not as it should be, a sentence each."""
    wrong = []
    for session in sessions:
        made = [row for row in rows if row.session == session]
        if len(made) != 1:
            wrong.append(f"{session} has {len(made)} forecasts")
            continue
        (row,) = made
        if row.late or not market.is_in_time(session, row.made_at):
            wrong.append(f"{session} was forecast too late, at {row.made_at:%Y-%m-%d %H:%M} UTC")
        if row.version != 1:
            wrong.append(f"{session} was forecast by {row.named}")
        if row.observed != market.open_of(session):
            wrong.append(f"{session} has {row.observed} as its actual price, not {market.open_of(session)}")
    # On the day whose prices come late nothing can be scored; the next run makes up for it.
    failed = sum(number for name, number in runs.items() if name.endswith(("Failed", "Crashed")))
    if failed > runs["score Failed"] or failed > 1:
        wrong.append(f"{failed} runs failed")
    return wrong


def _line(ticker: str, month: Month, seconds: float) -> str:
    """A line for people, and one for each thing that is wrong."""
    rows = [row for row in month.rows if row.session in month.sessions]
    counted = sum(row.observed is not None and not row.late for row in rows)
    late = sum(row.late for row in month.rows)
    runs = ", ".join(f"{number} {name}" for name, number in sorted(month.runs.items()))
    text = (
        f"{ticker}: {len(month.sessions)} sessions from {month.sessions[0]} to {month.sessions[-1]}, {len(rows)} "
        f"forecasts, {counted} counted, {late} late; {month.shown}; {runs}; {seconds:.0f} s"
    )
    return "\n".join([text, *(f"  WRONG: {line}" for line in month.wrong)])


if __name__ == "__main__":
    sys.exit(main())
