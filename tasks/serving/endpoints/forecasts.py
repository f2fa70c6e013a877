"""The forecasts of one model, with what happened and the scores: as JSON or CSV, a page at a time, newest first."""

import io
from datetime import date, datetime
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response

from model.artifact.sessions_ahead import FURTHEST
from model.forecaster.explanation import Explanation
from tasks.forecasts.listing import ListedForecast, csv_lines
from tasks.forecasts.overview import check_there
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.ledger.totals import Totals
from tasks.serving.board import BoardRow, Shown
from tasks.serving.endpoints.models import Model, PageNumber, Shared, row_of, written
from tasks.serving.endpoints.problems import ErrorAnswer
from tasks.serving.service import Service

router = APIRouter(prefix="/api", responses={status: {"model": ErrorAnswer} for status in (401, 403, 404, 422, 503)})
CSV = "text/csv"
Accept = Annotated[str, Header(include_in_schema=False)]
MOST = 1000
Size = Annotated[int, Query(ge=1, le=MOST, description="How many to a page.")]
Horizon = Annotated[int, Query(ge=1, le=FURTHEST, description="How many sessions ahead; 1 is the next session.")]
Format = Annotated[Literal["json", "csv"] | None, Query(alias="format", description="In place of the header Accept.")]


class ForecastAnswer(Shown):
    """One forecast of the ledger; prices are in `currency`, `version` is null for the naive distribution.

    observed: the actual price; `error`: that minus the forecast; null where not known, or not scored
    explanation: what made it wide or narrow: `usual` times every one of `factors` is `scale`; null where there is none
    horizon:  how many sessions after `as_of`
    crps:     the score of the whole distribution; `naive_crps`: of each naive distribution on the same session
    """

    session: date
    as_of: date
    version: int | None
    currency: str | None
    forecast: float
    ranges: dict[int, tuple[float, float]]
    quantiles: dict[float, float]
    naive: float
    naive_name: str
    naives: dict[str, float]
    observed: float | None
    observed_at: datetime | None
    error: float | None
    crps: float | None
    naive_crps: dict[str, float | None]
    made_at: datetime
    late: bool
    stale: bool
    source: str
    run_id: str
    fingerprint: str
    explanation: Explanation | None
    horizon: int


class ForecastPage(Shown):
    """A page of a model's forecasts, newest session first; `total`: how many there are so far ahead.

    horizon: how many sessions ahead all of them were made
    """

    model: str
    ticker: str
    column: str
    horizon: int
    forecasts: tuple[ForecastAnswer, ...]
    page: int
    size: int
    total: int


@router.get(
    "/forecasts/{model}",
    response_model=ForecastPage,
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
    summary="The forecasts of a model, with what happened and the scores",
)
def forecasts(
    service: Shared,
    model: Model,
    page: PageNumber = 1,
    size: Size = 100,
    horizon: Horizon = 1,
    form: Format = None,
    accept: Accept = "",
) -> Response:
    """Newest session first; the header Link names the next page. CSV has the columns of `tomorrow forecasts --csv`."""
    row = row_of(service, model)
    total = _total(service, row, horizon)
    listed = [ListedForecast(row=each) for each in _read(service, model, total, size, (page - 1) * size, horizon)]
    if form == "csv" or (form is None and _wants_csv(accept)):
        answer = _csv(model, listed)
    else:
        made = tuple(_answer(one) for one in listed)
        named = {"model": model, "ticker": row.ticker, "column": row.column}
        answer = written(ForecastPage(**named, horizon=horizon, forecasts=made, page=page, size=size, total=total))
    answer.headers["Vary"] = "Accept"
    if page * size < total:
        chosen = ("" if horizon == 1 else f"&horizon={horizon}") + ("" if form is None else f"&format={form}")
        answer.headers["Link"] = (
            f'</api/forecasts/{quote(model, safe="")}?page={page + 1}&size={size}{chosen}>; rel="next"'
        )
    return answer


def _total(service: Service, row: BoardRow, horizon: int) -> int:
    """How many forecasts there are so many sessions ahead; those of the next session are on the board."""
    if horizon == 1 or not row.forecasts:
        return row.forecasts if horizon == 1 else 0
    check_there(service.settings.ledger_uri, "the ledger")
    return Totals(service.settings.ledger_uri).by_horizon(row.model).get(row.model, {}).get(horizon, 0)


def _read(service: Service, model: str, total: int, last: int, skip: int, horizon: int) -> tuple[RecordedForecast, ...]:
    """The forecasts, newest first; reading makes no ledger that is missing."""
    if not total:
        return ()
    check_there(service.settings.ledger_uri, "the ledger")
    return Ledger(service.settings.ledger_uri).by_session(model, last=last, skip=skip, horizons=(horizon,))[::-1]


def _wants_csv(accept: str) -> bool:
    """Whether CSV stands in the header Accept, and JSON does not stand before it."""
    kinds = [kind.partition(";")[0].strip().lower() for kind in accept.split(",")]
    return CSV in kinds and "application/json" not in kinds[: kinds.index(CSV)]


def _csv(model: str, listed: list[ListedForecast]) -> Response:
    out = io.StringIO(newline="")
    csv_lines(listed, out)
    name = "".join(at if at.isalnum() or at in "-_." else "_" for at in model if at.isascii())
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return Response(out.getvalue(), media_type=f"{CSV}; charset=utf-8", headers=headers)


def _answer(one: ListedForecast) -> ForecastAnswer:
    row = one.row
    given = {name: getattr(row, name) for name in ForecastAnswer.model_fields if hasattr(row, name)}
    return ForecastAnswer(**given, ranges=row.intervals, error=one.error, crps=one.crps, naive_crps=one.naive_crps)
