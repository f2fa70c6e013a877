"""What Prometheus reads: how requests go, which version of each model is in Production, and how old things are."""

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import ClientDisconnect

from tasks.serving.board import Board
from tasks.serving.endpoints import problems
from tasks.serving.service import Service
from tasks.system.access.guard import App, Message, Receive, Scope, Send

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The figures of one application."""

    def __init__(self, service: Service) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Models(service))
        self._requests = Counter(
            "tomorrow_requests", "Requests answered.", ("route", "method", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "tomorrow_request_seconds", "Seconds of an answer.", ("route",), buckets=SECONDS, registry=self._registry
        )

    def text(self) -> bytes:
        """The figures now, as Prometheus reads them."""
        return generate_latest(self._registry)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)


class Measured:
    """Counts each request of an application; one that fails with a fault of ours is answered with a sentence.

    The route is the pattern, such as /api/models/{model}: with the path itself anybody could make new figures for ever.
    """

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun, status = time.perf_counter(), 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        except ClientDisconnect:
            return None
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody is shown a trace
            problems.log_fault(error)
            if not status:
                made = problems.answer(500, "That is a fault of this program; its log says more. Please report it.")
                await made(scope, receive, note)
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "other"
        self._metrics.count(route, method, status, time.perf_counter() - begun)
        return None


class _Models(Collector):
    """The figures of the board, read when Prometheus asks."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """One figure for each model that has it."""
        board, versions = self._service.board, self._service.versions
        at = self._service.clock()
        figures = {
            "version_in_production": "The number of the version in Production.",
            "version_answering": "The number of the version that answers.",
            "version_age_days": "Days since the newest session that the version in Production was trained on.",
            "prices_age_days": "Days since the newest session of the stored prices.",
            "forecast_age_days": "Days since the newest session that the newest forecast knew.",
            "skill": "Live CRPS skill over the newest 63 forecasts.",
            "alarms": "What needs a person.",
        }
        made = {name: GaugeMetricFamily(f"tomorrow_{name}", text, labels=("model",)) for name, text in figures.items()}
        for row in board.rows:
            found = {
                "version_in_production": row.version,
                "version_answering": row.answering,
                "version_age_days": row.version_days,
                "prices_age_days": row.prices_days,
                "forecast_age_days": None if row.forecast is None else (at.date() - row.forecast.as_of).days,
                "skill": row.skill,
                "alarms": len(row.alarms),
            }
            for name, value in found.items():
                if value is not None:
                    made[name].add_metric((row.model,), value)
        yield from made.values()
        yield from _of_later_sessions(board)
        loads = GaugeMetricFamily("tomorrow_loads", "Versions loaded since the start.", labels=("outcome",))
        loads.add_metric(("loaded",), versions.loads)
        loads.add_metric(("failed",), versions.failures)
        yield loads
        looked = self._service.looked_at
        if looked is not None:
            seconds = (at - looked).total_seconds()
            yield GaugeMetricFamily("tomorrow_look_age_seconds", "Seconds since Production was looked at.", seconds)


def _of_later_sessions(board: Board) -> Iterator[Metric]:
    """The figures of the forecasts of later sessions, where there are some, under names of their own.

    So a query or an alarm on `tomorrow_skill` stays one on the next session.
    """
    figures = {
        "skill_ahead": "Live CRPS skill over the newest 63 forecasts of a session so many sessions ahead.",
        "coverage_ahead": "Share of prices within the widest range of the forecasts so many sessions ahead.",
        "scored_ahead": "How many forecasts so many sessions ahead count.",
    }
    labels = ("model", "horizon")
    made = {name: GaugeMetricFamily(f"tomorrow_{name}", text, labels=labels) for name, text in figures.items()}
    for row in board.rows:
        for later in row.further:
            found = {"skill_ahead": later.skill, "coverage_ahead": later.coverage, "scored_ahead": later.scored}
            for name, value in found.items():
                if value is not None:
                    made[name].add_metric((row.model, str(later.horizon)), value)
    yield from (family for family in made.values() if family.samples)
