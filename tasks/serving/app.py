"""The application: what it serves where, and what runs as long as it does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import Field

from tasks.serving.access import KNOWN
from tasks.serving.board import Shown
from tasks.serving.endpoints import docs, forecasts, invocations, models, problems, webhook
from tasks.serving.endpoints.metrics import CONTENT_TYPE, Measured, Metrics
from tasks.serving.pages import routes as pages
from tasks.serving.service import Clock, Service
from tasks.settings import Settings
from tasks.system import durations
from tasks.system.access.guard import HEALTH


class Health(Shown):
    """How the server is.

    status:    starting, until the registry was read for the first time; degraded, where something could not be read or
               loaded; otherwise ok. It answers requests in any case
    models:    how many models there are; `answering`: of how many a version answers
    looked_at: when Production was last looked at
    faults:    what could not be read or loaded -> why; only for who has the key
    """

    status: str
    models: int
    answering: int
    looked_at: datetime | None
    faults: dict[str, str] = Field(default_factory=dict)


def create_app(settings: Settings, clock: Clock) -> FastAPI:
    """The application for a state directory; server.py puts the guard before it.

    Pages take everything from `request.app.state.service`, a `Service`: its `board` is read in memory.

    clock: gives the time
    """
    service = Service(settings, clock)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.end()

    # FastAPI's own pages of documentation load scripts from another host.
    app = FastAPI(title="Tomorrow", docs_url=None, redoc_url=None, lifespan=running)
    app.state.service = service
    problems.handle(app)
    for part in (models, forecasts, invocations, webhook, docs, pages):
        app.include_router(part.router)
    metrics = Metrics(service)
    app.add_middleware(Measured, metrics=metrics)
    app.add_api_route("/metrics", lambda: Response(metrics.text(), media_type=CONTENT_TYPE), include_in_schema=False)
    app.add_api_route(HEALTH, health, response_model=Health, summary="How the server is; needs no key")
    return app


def health(request: Request) -> Response:
    """How the server is; anybody may ask, and is told no names without the key."""
    service: Service = request.app.state.service
    board = service.board
    answering = len(service.versions.answering())
    faults = {**board.faults, **service.versions.troubles()}
    patience = durations.OLD_BOARD + service.settings.serving.look_seconds
    if board.read_at is not None and (service.clock() - board.read_at).total_seconds() > patience:
        faults["board"] = f"it was last read at {board.read_at:%Y-%m-%d %H:%M} UTC"
    status = "starting" if board.read_at is None else "degraded" if faults else "ok"
    told = faults if request.scope.get(KNOWN) else {}
    return models.written(
        Health(status=status, models=len(board.rows), answering=answering, looked_at=service.looked_at, faults=told)
    )
