"""What the log of a run says in Prefect's pages: its story, in order, and no states."""

import logging
import re
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.sorting import FlowRunSort, LogSort
from prefect.logging.handlers import APILogWorker

from flows.runs import story
from flows.runs.story import start_run
from model.config import PriceRequest
from model.forecaster.explanation import Explanation
from tasks.prefect_tasks import step
from tests.flows.conftest import MARKET, SMALL, Run
from tests.tasks.forecasts.recorded import distributed, forecast

DOLLARS, SKILL = r"\$\d+\.\d+", r"skill [+-]\d+\.\d+( \(no skill\))?"


def newest_run(client: SyncPrefectClient, name: str) -> UUID:
    """The newest run of a flow."""
    (found,) = client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[name])), sort=FlowRunSort.START_TIME_DESC, limit=1
    )
    return found.id


def log_of(name: str) -> list[str]:
    """The messages of the newest run of a flow, oldest first, as Prefect's server has them."""
    APILogWorker.drain_all(timeout=10)
    with get_client(sync_client=True) as client:
        of_run = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[newest_run(client, name)]))
        return [log.message for log in client.read_logs(of_run, sort=LogSort.TIMESTAMP_ASC, limit=200)]


def told(name: str, *story: str) -> list[str]:
    """The same, once its lines were found to match the story's, in this order."""
    messages = log_of(name)
    rest = iter(messages)
    for line in story:
        assert any(re.match(line, message) for message in rest), f"{line!r} is not told, or too late: {messages}"
    assert not [message for message in messages if "Finished in state" in message]
    return messages


def test_the_log_of_a_run_tells_its_story(run: Run) -> None:
    from flows.predict import predict

    twenty = ("--epochs", "20")
    assert run("train", *MARKET, *SMALL, *twenty).code == 0
    told(
        "train",
        r"Prices of SAMPLE from sample: 374 sessions, 2012-01-03 to 2013-06-28; not compared\.",
        r"348 windows to train on; 21 sessions to test on, 2013-05-31 to 2013-06-28\.",
        r"Epoch 1 of 20: loss 0\.\d+",
        *(rf"Epoch {epoch} of 20: loss 0\.\d+" for epoch in range(2, 21, 2)),
        rf"CRPS {DOLLARS}; best naive distribution \(.+\) {DOLLARS}; {SKILL}\.",
        rf"RMSE {DOLLARS}; best naive forecast \(.+\) {DOLLARS}; {SKILL}\.",
        r"Proof: there is none: the prices are too few for any session of a proof\.",
        r"Gate: FAIL evidence of skill: none: the prices are too few for any session of a proof; needed 20 to 1\.",
        r"Gate: \w+ RMSE of the median: .* times that of the newest Close \(\$.*\); needed at most 1\.01\.",
        r"SAMPLE-Open version 1 \(undecided\): refused, in Staging\.",
    )
    predict(request=PriceRequest(ticker="SAMPLE", source="sample", as_of=date(2013, 6, 28)), or_naive=True)
    told(
        "predict",
        r"No version of SAMPLE-Open is in Production: the best naive distribution is recorded\.",
        r"Prices of SAMPLE from sample",
        rf"SAMPLE Open on 2013-07-01: {DOLLARS} .*; naive \(the newest Close\) {DOLLARS}\. By the naive distribution, "
        r"the newest Close with its last [0-9,]+ changes: no version in Production could forecast it\.",
        r"Recorded in the ledger\.",
    )
    assert run("promote", "SAMPLE-Open", "1", "--force", "--reason", "a test").code == 0
    told("promote", r"Gate: FAIL evidence of skill", r"SAMPLE-Open version 1 \(undecided\): forced, in Production\.")
    for written in (r"Recorded in the ledger\.", r"In the ledger already"):
        assert run("predict", *MARKET).code == 0
        told(
            "predict",
            r"SAMPLE-Open version 1.* is in Production, and forecasts\.",
            r"Prices of SAMPLE from sample",
            rf"SAMPLE Open on 2013-07-01: {DOLLARS} \(80 %: {DOLLARS} to {DOLLARS}, 95 %: {DOLLARS} to {DOLLARS}\); "
            rf"naive \(.+\) {DOLLARS}\. By SAMPLE-Open version 1\.",
            written,
        )
    assert run("score", "--source", "sample", "--as-of", "2013-07-01").code == 0
    told(
        "score",
        r"Prices of SAMPLE from sample",
        r"Filled in the actual price of 2 of 2 forecasts\.",
        r"Nothing to score yet\.",
        r"Monitoring: ",
        r"No retraining is requested\.",
    )


def test_the_log_says_why_a_forecast_is_so_wide(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(story, "get_run_logger", lambda: logging.getLogger("a run"))
    made = distributed(forecast(40))
    caplog.set_level(logging.INFO)
    story.log_forecast(made, created=True)
    assert "usual width" not in caplog.text
    why = Explanation(usual=0.02, factors={"moves": 1.5}, scale=0.03)
    story.log_forecast(replace(made, explanation=why), created=True)
    assert "1.50 times its usual width: 1.50 from the last sessions' moves." in caplog.messages


def test_each_fit_of_a_backtest_is_a_task_run(run: Run) -> None:
    months = ("--from", "2013-03", "--to", "2013-04", "--seeds", "2", "--jobs", "2")
    assert run("backtest", *MARKET, *SMALL, *months).code == 0
    told("backtest", r"Prices of SAMPLE from sample", r"fit 1 of 4", r"fit 4 of 4", r"SAMPLE Open, .*: 42 sessions\.")
    with get_client(sync_client=True) as client:
        of_run = FlowRunFilter(id=FlowRunFilterId(any_=[newest_run(client, "backtest")]))
        fits = [found for found in client.read_task_runs(flow_run_filter=of_run) if " seed " in found.name]
    assert sorted(fit.name for fit in fits) == [
        f"tutorial seed {seed} 2013-{month}" for seed in (0, 1) for month in ("03", "04")
    ]
    assert {fit.state_name for fit in fits} == {"Completed"}


@pytest.mark.usefixtures("home", "prefect_server")
def test_what_the_rooms_below_warn_of_stands_in_the_log_of_the_run() -> None:
    logger = logging.getLogger("tasks.of.a.test")

    @flow(name="a flow that warns")
    def warns() -> Any:
        start_run()
        start_run()
        step(lambda: logger.warning("in a task"), "warn")()
        logging.getLogger("model.of.a.test").info("in a flow")

    logger.warning("before there is a run")
    warns()
    logger.warning("after it has ended")
    messages = log_of("a flow that warns")
    assert [message for message in messages if message.startswith(("in a", "before", "after"))] == [
        "in a task",
        "in a flow",
    ]
