"""What goes to the log of a run that Prefect's pages show."""

import logging

import pytest
from prefect.context import FlowRunContext
from prefect.logging.handlers import APILogHandler

from tasks.operations.run_log import _handler


def test_a_password_in_a_warning_stays_out_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[logging.LogRecord] = []
    monkeypatch.setattr(APILogHandler, "emit", lambda _, record: sent.append(record))
    monkeypatch.setattr(FlowRunContext, "get", lambda: object())
    record = logging.LogRecord(
        "tasks.a", logging.WARNING, "", 0, "no answer: %s", ("http://me:secret@host:1/api",), None
    )
    _handler.emit(record)
    assert [found.getMessage() for found in sent] == ["no answer: http://***@host:1/api"]
    assert "secret" in record.getMessage(), "who reads the log of the machine itself still sees it"
