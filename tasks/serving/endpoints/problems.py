"""Errors as programs are given them: one sentence in JSON, with a status that fits, and never a trace."""

import logging
import traceback
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from model.errors import NothingInProduction, TomorrowError, masked, printable
from tasks.serving.board import Shown

logger = logging.getLogger(__name__)

KINDS = {
    400: "BadRequest",
    401: "KeyNeeded",
    403: "Refused",
    404: "NotFound",
    405: "NotAllowed",
    406: "NotAcceptable",
    409: "NothingInProduction",
    413: "TooLarge",
    415: "UnknownFormat",
    422: "BadParameter",
    500: "Fault",
    503: "NotReady",
}
LONGEST = 500


class ErrorText(Shown):
    """What was wrong.

    kind:    the error's name for programs
    message: a sentence
    """

    kind: str
    message: str


class ErrorAnswer(Shown):
    """The answer to a request that cannot be carried out."""

    error: ErrorText


class Problem(Exception):
    """A request that cannot be carried out: the status, and a sentence for people."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


def answer(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for a status, with its sentence on one line."""
    text = printable(" ".join(masked(message).split()))[:LONGEST]
    error = ErrorAnswer(error=ErrorText(kind=KINDS.get(status, "Error"), message=text))
    return JSONResponse(error.model_dump(), status, headers=dict(headers or {}))


def of_ours(error: TomorrowError) -> Response:
    """The answer for one of the product's errors: 409 where nothing is in Production, 503 for a store that fails."""
    status = 409 if isinstance(error, NothingInProduction) else 503 if error.exit_code == 2 else 500
    return answer(status, f"{error.subject}: {error.have}")


def log_fault(error: Exception) -> None:
    """Write a fault of ours to the log, with its trace, and without passwords."""
    logger.error("%s", masked("".join(traceback.format_exception(error))))


def handle(app: FastAPI) -> None:
    """Have an application answer every error this way."""

    @app.exception_handler(Problem)
    def _(_: Request, problem: Problem) -> Response:
        return answer(problem.status, problem.message, problem.headers)

    @app.exception_handler(TomorrowError)
    def _(_: Request, error: TomorrowError) -> Response:
        return of_ours(error)

    @app.exception_handler(HTTPException)
    def _(request: Request, error: HTTPException) -> Response:
        said = {
            404: f"There is nothing at {request.url.path}; /docs lists what there is.",
            405: f"{request.url.path} does not take {request.method}; /docs lists what it takes.",
        }
        return answer(error.status_code, said.get(error.status_code, str(error.detail)), error.headers)

    @app.exception_handler(RequestValidationError)
    def _(_: Request, error: RequestValidationError) -> Response:
        return answer(422, _fault(error.errors()[0]))


def _fault(fault: Mapping[str, Any]) -> str:
    """What is wrong with a parameter, in a sentence."""
    name = ".".join(str(part) for part in fault["loc"][1:]) or str(fault["loc"][0])
    return f"{name}: {fault['msg']}, and is {str(fault.get('input'))[:100]!r}."
