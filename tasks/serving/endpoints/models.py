"""The address for programs: the models, their forecasts, and the versions in Production to be asked."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from tasks.serving.board import Board, BoardPage, BoardRow, Shown, ShownVerdict, Standing
from tasks.serving.endpoints.problems import ErrorAnswer, Problem
from tasks.serving.service import Service

router = APIRouter(prefix="/api", responses={status: {"model": ErrorAnswer} for status in (401, 403, 404, 422, 503)})


def service_of(request: Request) -> Service:
    """What all requests share."""
    service: Service = request.app.state.service
    return service


Shared = Annotated[Service, Depends(service_of)]
Model = Annotated[str, Path(description="The registered model.", examples=["META-Open"])]
PageNumber = Annotated[int, Query(ge=1, le=1_000_000, description="The page, counted from 1.")]
PageSize = Annotated[int, Query(ge=1, le=500, description="How many to a page.")]


def known_board(service: Service) -> Board:
    """The newest board; 503 until it was read for the first time."""
    if service.board.read_at is None:
        raise Problem(503, "The server is starting and has not read the registry yet.", {"Retry-After": "2"})
    return service.board


def row_of(service: Service, model: str) -> BoardRow:
    """The row of a model; 404 where there is none of that name."""
    row = known_board(service).row(model)
    if row is None:
        raise Problem(404, f"There is no model {model!r}; /api/models lists those that there are.")
    return row


def written(value: Shown) -> Response:
    """A value as JSON, which is not read again, nor kept by browsers."""
    return Response(value.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})


@router.get("/models", response_model=BoardPage, summary="The board: every model, a page at a time")
def models(
    service: Shared,
    page: PageNumber = 1,
    size: PageSize = 50,
    ticker: Annotated[str | None, Query(description="Only this security.")] = None,
    verdict: Annotated[ShownVerdict | None, Query(description="Only models with this verdict.")] = None,
    stage: Annotated[
        Standing | None, Query(description="Production; None: those with naive forecasts; unknown.")
    ] = None,
) -> Response:
    """Each model with what is in Production, its newest forecast, how its forecasts have done, and its alarms."""
    board = known_board(service)
    return written(board.page(page, size, ticker=ticker, verdict=verdict, stage=stage))


@router.get("/models/{model}", response_model=BoardRow, summary="One model")
def one_model(service: Shared, model: Model) -> Response:
    """The model's row of the board."""
    return written(row_of(service, model))
