"""The log of a run that Prefect's pages show: what goes to it, without passwords and without states.

The pages show states as states, so the lines in which Prefect repeats them are dropped. What `tasks` and `model` log
by Python's loggers goes to the same log. PREFECT_LOGGING_EXTRA_LOGGERS is not used for that: it works only if it is set
before Prefect is imported, and a worker or anybody's script may start a run.
"""

import copy
import logging

from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.handlers import APILogHandler

from model.errors import masked

PREFECTS_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")
OUR_LOGGERS = ("tasks", "model")


class _RunLogHandler(APILogHandler):
    """Sends to Prefect what is logged within a run; what is logged elsewhere belongs to no page."""

    def emit(self, record: logging.LogRecord) -> None:
        if FlowRunContext.get() or TaskRunContext.get():
            public = copy.copy(record)
            _hide_passwords(public)
            super().emit(public)


_handler = _RunLogHandler()


def set_up_log() -> None:
    """Have this process's runs log so; every process that carries out a flow or task calls it, any number of times."""
    for name in PREFECTS_LOGGERS:
        logging.getLogger(name).addFilter(_is_news)
        logging.getLogger(name).addFilter(_hide_passwords)
    for name in OUR_LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(known, APILogHandler) for known in logger.handlers):
            logger.addHandler(_handler)
        logger.setLevel(logger.level or logging.INFO)


def _hide_passwords(record: logging.LogRecord) -> bool:
    """Mask the addresses in a record, and in the trace that it carries: everybody who opens the pages sees both."""
    record.msg, record.args = masked(record.getMessage()), None
    if record.exc_info:
        record.exc_text, record.exc_info = masked(logging.Formatter().formatException(record.exc_info)), None
    return True


def _is_news(record: logging.LogRecord) -> bool:
    """Drop what a run's state says already; failures are logged as errors, which stay."""
    return record.levelno > logging.INFO or not record.getMessage().startswith("Finished in state")
