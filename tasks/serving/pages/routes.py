"""The addresses of the pages. They are made in memory from the board; a model's page also reads the ledger."""

import json
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import HTMLResponse, Response

from model.errors import TomorrowError
from tasks.serving.board import Board, BoardRow
from tasks.serving.endpoints.forecasts import MOST
from tasks.serving.endpoints.models import Model, Shared
from tasks.serving.pages.board_view import ORDERS, STAGES, VERDICTS, Chosen, view_board
from tasks.serving.pages.charts import charts
from tasks.serving.pages.model_view import view_model
from tasks.serving.pages.record import Record, read_record
from tasks.serving.pages.static_files import address_of, static_file
from tasks.serving.pages.templating import rendered
from tasks.serving.service import Service
from tasks.settings import Address

router = APIRouter(include_in_schema=False)
Known = Annotated[str, Header(alias="If-None-Match")]
KEPT = {"Cache-Control": "private, no-cache"}
FOR_GOOD = {"Cache-Control": "private, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
MOST_PAGES = 1_000_000


@router.get("/")
def board(
    service: Shared,
    text: str = "",
    verdict: str = "",
    stage: str = "",
    order: str = "",
    alarms: str = "",
    page: str = "1",
    known: Known = "",
) -> Response:
    """The board, a page at a time; an unknown value of the address counts as not given."""
    chosen = Chosen(
        text=text.strip()[:100],
        verdict=next((name for name in VERDICTS if name == verdict), None),
        stage=next((name for name in STAGES if name == stage), None),
        alarms=bool(alarms),
        order=next((name for name in ORDERS if name == order), "name"),
        page=max(1, min(MOST_PAGES, int(page))) if page.isascii() and page.isdecimal() and len(page) < 9 else 1,
    )
    found = service.board
    view = view_board(found, chosen)
    return _page("board.html.j2", found, known, view=view, verdicts=VERDICTS, stages=STAGES, orders=ORDERS)


@router.get("/models/{model}")
def model_page(service: Shared, model: Model, known: Known = "") -> Response:
    """A model's page."""
    found = service.board
    row = found.row(model)
    if row is None:
        if found.read_at is None:
            return _page("board.html.j2", found, known)
        said = f"There is no model {model!r} in the registry or the ledger."
        return _page("notice.html.j2", found, known, status=404, heading="No such model", sentence=said)
    try:
        record = _record(service, row)
    except TomorrowError as error:
        said = f"{error.subject}: {error.have}. The board shows what was read before."
        return _page("notice.html.j2", found, known, status=503, heading="It cannot be read now", sentence=said)
    view = view_model(service.settings, row, record)
    state = sha256(_drawn(record).encode()).hexdigest()[:16]
    return _page("model.html.j2", found, known, view=view, charts_state=state, most_listed=MOST)


@router.get("/models/{model}/charts.json")
def chart_data(service: Shared, model: Model) -> Response:
    """What the charts of a model's page draw."""
    row = service.board.row(model)
    if row is None:
        return Response("{}", 404, media_type="application/json")
    return Response(_drawn(_record(service, row)), media_type="application/json", headers=KEPT)


@router.get("/static/{name}")
def static(name: str, v: str = "", encodings: Annotated[str, Header(alias="Accept-Encoding")] = "") -> Response:
    """A file that the pages load; one whose address holds its digest is kept for good."""
    found = static_file(name)
    if found is None:
        return Response("no such file\n", 404, media_type="text/plain")
    headers = dict(FOR_GOOD if v == found.digest else KEPT)
    if "gzip" in encodings:
        return Response(found.compressed, media_type=found.kind, headers={**headers, "Content-Encoding": "gzip"})
    return Response(found.content, media_type=found.kind, headers=headers)


def _record(service: Service, row: BoardRow) -> Record:
    minute = "" if service.board.read_at is None else f"{service.board.read_at:%Y-%m-%d %H:%M}"
    counts = (row.forecasts, row.scored)
    return _kept_record(service.settings.ledger_uri, row.model, row.version, counts, row.promoted_at, minute)


@lru_cache(maxsize=32)
def _kept_record(
    ledger: Address, model: str, version: int | None, counts: tuple[int, int], _: datetime | None, __: str
) -> Record:
    """The record of a model. Open pages ask every few seconds, so it is read anew only when its row shows a change.

    That a version was refused is not in the row: after a minute it is read anew in any case.
    """
    return read_record(ledger, model, version, has_forecasts=counts[0] > 0)


@lru_cache(maxsize=32)
def _drawn(record: Record) -> str:
    """What the charts of a record draw, as JSON."""
    return json.dumps(charts(record), allow_nan=False)


def _page(template: str, found: Board, known: str, status: int = 200, **values: object) -> Response:
    """A page, or only that it is as the browser has it."""
    text = rendered(
        template,
        static=address_of,
        read_at=found.read_at,
        faults=found.faults,
        starting=found.read_at is None,
        **values,
    )
    tag = f'"{sha256(text.encode()).hexdigest()[:32]}"'
    headers = {**KEPT, "ETag": tag, "Vary": "Cookie"}
    if known == tag and status == 200:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(text, status, headers=headers)
