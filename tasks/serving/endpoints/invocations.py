"""A version in Production, asked over HTTP in MLflow's own format: raw prices in, distributions out.

The body is read with MLflow's own parser, and the answer has the form of its scoring server's, with the model and the
number of the version that made it beside the predictions.
"""

import asyncio
import json
import math
from collections.abc import Mapping
from io import StringIO
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from model.errors import masked
from tasks.serving.board import Shown
from tasks.serving.endpoints.models import Model, Shared, known_board
from tasks.serving.endpoints.problems import ErrorAnswer, Problem
from tasks.serving.following.loaded import LoadedVersion
from tasks.serving.service import Service

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
PARAMS = "params"
JSON, CSV = "application/json", "text/csv"
# MLflow's errors that whoever asks has made.
THEIRS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "MALFORMED_REQUEST")
# How many origins one request may ask for.
MOST_ORIGINS = 5000
AGAIN = {"Retry-After": "1"}


class Predictions(Shown):
    """The answer of MLflow's scoring server, and who made it.

    predictions: one object for each origin: `forecast` (the median), bounds and quantiles, in the unit of the prices;
                 of a version with further horizons also those so many sessions ahead, such as `in_5_forecast`
    version:     the version of the model that made all of them; `run_id`: the run that trained it
    without:     the other series that the version knows, and that the newest row lacks: it forecasts without them
    """

    predictions: list[dict[str, float | None]]
    model: str
    version: int
    run_id: str
    without: tuple[str, ...] = ()


router = APIRouter(prefix="/api", responses={status: {"model": ErrorAnswer} for status in (401, 403, 404, 503)})
PRICES = {
    "dataframe_split": {
        "columns": ["Date", "Open", "High", "Low", "Close", "Volume"],
        "data": [
            ["2020-01-30", 206.54, 209.69, 201.04, 209.53, 48717100],
            ["2020-01-31", 208.43, 208.69, 201.06, 201.91, 31359900],
        ],
    },
    "params": {"origins": 1, "next_session": "2020-02-03"},
}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"type": "object"}, "example": PRICES},
            CSV: {"schema": {"type": "string"}, "example": "Date,Open,High,Low,Close,Volume\n2020-01-31,208.43,..."},
        },
    }
}


@router.post(
    "/models/{model}/invocations",
    response_model=Predictions,
    responses={status: {"model": ErrorAnswer} for status in (400, 409, 413, 415)},
    openapi_extra=BODY,
    summary="Forecasts of the version in Production from your prices",
)
async def invoke(request: Request, service: Shared, model: Model) -> Response:
    """Raw daily prices, oldest first or dated, as many sessions as the version looks back on; see docs/serving.md.

    `params`: `origins`, how many of the newest rows to forecast from; `next_session`, the day that is forecast.
    """
    _answering(service, model)  # who asks in vain sends nothing
    with service.room.of_one() as room:
        body = await _body(request, service.settings.serving.most_megabytes * 1_000_000, room.take)
        # Of one version throughout: the next request may be answered by another.
        loaded = _answering(service, model)
        media_type = request.headers.get("content-type", "")
        made = await asyncio.get_running_loop().run_in_executor(service.workers, _answer, loaded, body, media_type)
    headers = {"Cache-Control": "no-store", "X-Tomorrow-Version": str(loaded.number)}
    return Response(made, media_type=JSON, headers=headers)


def _answering(service: Service, model: str) -> LoadedVersion:
    """The version that answers; 404, 409 or 503 where there is none."""
    loaded = service.loaded(model)
    if loaded is not None:
        return loaded
    trouble = service.versions.troubles().get(model)
    if trouble is not None:
        raise Problem(503, trouble, AGAIN)
    if service.versions.is_wanted(model):
        raise Problem(503, f"The version of {model} in Production is being loaded; ask again in a moment.", AGAIN)
    row = known_board(service).row(model)
    if (row is None and "registry" in service.board.faults) or (row is not None and row.stage == "unknown"):
        raise Problem(503, f"The registry cannot be read: what of {model} is in Production is not known.", AGAIN)
    if row is None:
        raise Problem(404, f"There is no model {model!r}; /api/models lists those that there are.")
    raise Problem(409, f"Nothing of {model} is in Production, so no version can answer.")


async def _body(request: Request, most: int, take: Any) -> bytes:
    """The body; 413 where it is larger than `most` bytes, as soon as that is known."""
    too_large = Problem(413, f"The body is larger than {most:,} bytes (serving.most_megabytes).")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > most:
        raise too_large
    parts: list[bytes] = []
    total = 0
    async for part in request.stream():
        total += len(part)
        if total > most:
            raise too_large
        take(len(part))
        parts.append(part)
    return b"".join(parts)


def _answer(loaded: LoadedVersion, body: bytes, media_type: str) -> bytes:
    """The whole answer of one version, as JSON; runs in a thread."""
    from mlflow.exceptions import MlflowException

    try:
        frame, params = parse(body, media_type)
        rows = predictions(loaded, frame, params)
    except MlflowException as error:
        if error.error_code not in THEIRS:
            raise
        raise Problem(400, _sentence(error)) from None
    except OverflowError:  # JSON's whole numbers have no end
        raise Problem(400, "A number is too large to be a price.") from None
    made = {
        "predictions": rows,
        "model": loaded.model,
        "version": loaded.number,
        "run_id": loaded.run_id,
        "without": list(loaded.without(frame)),
    }
    return json.dumps(made, allow_nan=False).encode()


def predictions(loaded: LoadedVersion, frame: "pd.DataFrame", params: dict[str, Any]) -> list[dict[str, float | None]]:
    """The forecasts as JSON has them: an object for each origin, with null in place of NaN."""
    answer = loaded.forecast(frame, params)
    names, values = [str(name) for name in answer.columns], answer.to_numpy(dtype=float)
    # By hand: pandas takes longer to give one row as a dictionary than the version to forecast.
    return [
        {name: value if math.isfinite(value) else None for name, value in zip(names, row, strict=True)}
        for row in values.tolist()
    ]


def parse(body: bytes, media_type: str) -> "tuple[pd.DataFrame, dict[str, Any]]":
    """The prices and parameters of a body; Problem, or MLflow's own error, where it is wrong."""
    import pandas as pd
    from mlflow.pyfunc.scoring_server import infer_and_parse_data, parse_csv_input

    kind, _, charset = (part.strip().lower() for part in media_type.partition(";"))
    if kind not in (JSON, CSV) or charset not in ("", "charset=utf-8"):
        raise Problem(415, f"Send {JSON} or {CSV} in UTF-8; the Content-Type is {media_type[:100]!r}.")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Problem(400, "The body is not text in UTF-8.") from None
    if kind == CSV:
        return parse_csv_input(StringIO(text)), {}
    given = _object(text)
    named = [name for name in FORMATS if name in given]
    others = [name for name in given if name not in (*FORMATS, PARAMS)]
    if len(named) != 1 or others:
        has = ", ".join(map(repr, list(given)[:5])) or "nothing"
        raise Problem(400, f"The body needs exactly one of {', '.join(FORMATS)}, and may have params; it has {has}.")
    found: Any = infer_and_parse_data({named[0]: given[named[0]]})
    if isinstance(found, Mapping):
        try:
            found = pd.DataFrame(dict(found))
        except ValueError as error:
            raise Problem(400, f"{named[0]} is no table: {error}.") from None
    if not isinstance(found, pd.DataFrame):
        raise Problem(400, f"{named[0]} has to name its columns: one object for each session, or a list for each name.")
    return found, _params(given.get(PARAMS))


def _object(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = (
            f"{error.msg} at character {error.pos}"
            if isinstance(error, json.JSONDecodeError)
            else "nested too deeply"
            if isinstance(error, RecursionError)
            else "a number has too many digits"
        )
        raise Problem(400, f"The body is not JSON: {why}.") from None
    if not isinstance(given, dict):
        raise Problem(400, f"The body has to be a JSON object with one of {', '.join(FORMATS)}.")
    return given


def _params(given: object) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Problem(400, "params has to be an object, such as {'origins': 5}.")
    unknown = [name for name in given if name not in ("origins", "next_session")]
    if unknown:
        raise Problem(400, f"params has no {unknown[0]!r}; it may have origins and next_session.")
    origins = given.get("origins", 1)
    if not isinstance(origins, int) or isinstance(origins, bool) or not 1 <= origins <= MOST_ORIGINS:
        raise Problem(400, f"origins has to be a whole number from 1 to {MOST_ORIGINS}, and is {str(origins)[:50]!r}.")
    if not isinstance(given.get("next_session", ""), str):
        raise Problem(400, "next_session has to be a day such as '2020-01-31'.")
    return given


def _sentence(error: Exception) -> str:
    """The first sentence of MLflow's own error, or of the version's, which has one alone."""
    said = str(getattr(error, "sentence", None) or getattr(error, "message", None) or error)
    first = " ".join(masked(said).split()).partition(" IMPORTANT: ")[0]
    return f"{first.rstrip('.')}."
