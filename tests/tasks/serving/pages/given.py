"""A board of made-up models, a ledger for one of them, and the pages served without MLflow."""

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from model.evaluation.decision import DecisionWord
from model.forecaster.explanation import Explanation
from model.forecaster.forecasts import interval_of
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.registry.stage_history import StageChange, StageHistory
from tasks.serving.access import ServingGuard
from tasks.serving.board import Board, BoardRow, ForecastRow, FurtherRow
from tasks.serving.endpoints import docs, problems
from tasks.serving.following.refresh import forecast_row
from tasks.serving.pages import routes
from tasks.settings import Settings
from tasks.system.access.guard import Door, page_link
from tests.distributions import around
from tests.servers import free_port
from tests.tasks.forecasts.recorded import by_probability

AT = datetime(2026, 11, 27, 23, 20, tzinfo=UTC)
SESSION = date(2026, 11, 30)
SKILLS = {21: 0.031, 63: 0.024}
CLAIM = "not distinguishable from chance (evidence 3.1 to 1 on 122 forecasts)"
KEY, SALT = "a key", "a salt"
EXPLANATION = Explanation(
    usual=0.02,
    factors={"moves": 1.25, "direction": 0.97, "echo": 1.1, "volume": 1.0625, "network": 1.0},
    scale=0.02 * 1.25 * 0.97 * 1.1 * 1.0625,
)
# Ticker, name, price, currency, verdict, version: of the kinds that look different.
KINDS: tuple[tuple[str, str, float, str | None, str, int | None], ...] = (
    ("AAPL", "Apple Inc.", 271.35, "USD", "proven", 12),
    ("BARC.L", "Barclays PLC", 412.15, "GBp", "undecided", 3),
    ("BTC-USD", "Bitcoin", 94_310.5, "USD", "no skill", 7),
    ("EURUSD=X", "", 1.15731, None, "naive", None),
    ("KO", "The Coca-Cola Company", 72.93, "USD", "proven", 41),
    ("META", "Facebook (Meta Platforms, Inc.)", 648.2, "USD", "proven", 3),
    ("^GSPC", "S&P 500", 6_850.12, "points", "undecided", 2),
    ("7203.T", "Toyota Motor Corporation", 3_145.0, "JPY", "not judged", 1),
)


def made_forecast(naive: float, currency: str | None, version: int | None, *, move: float, width: float) -> ForecastRow:
    """A forecast of SESSION whose 95 % range is `width` times that of recent moves, which is 3 % to both sides."""
    recent = 0.03 * naive
    median = naive * (1 + move)
    own = by_probability(around(np.array([median]), 0.6 * recent * width, recent * width)[0])
    wild = by_probability(around(np.array([naive]), 0.6 * recent, recent)[0])
    factors = {"moves": width, "direction": 0.97, "echo": 1.1, "volume": 1.04, "network": 1.0}
    scale = 0.02 * math.prod(factors.values())
    return ForecastRow(
        session=SESSION,
        as_of=date(2026, 11, 27),
        version=version,
        median=median,
        quantiles=own,
        ranges={level: interval_of(own, level) for level in (80, 95)},
        naive=naive,
        naive_name="newest_Close",
        naive_ranges={level: interval_of(wild, level) for level in (80, 95)},
        currency=currency,
        made_at=AT,
        late=False,
        stale=False,
        source="yahoo",
        explanation=None if version is None else Explanation(usual=0.02, factors=factors, scale=scale),
    )


def made_row(number: int, **changes: Any) -> BoardRow:
    """The row with that number: of one of the KINDS, with its own figures."""
    ticker, name, price, currency, verdict, version = KINDS[number % len(KINDS)]
    rng = np.random.default_rng(number)
    ticker = ticker if number < len(KINDS) else f"{ticker[:4].strip('^.-=')}{number:03d}"
    move, width = float(rng.normal(0, 0.004)), float(np.exp(rng.normal(-0.1, 0.4)))
    if version is None:  # the naive distribution itself
        move, width = 0.0, 1.0
    scored = int(rng.integers(0, 800)) if number % 5 else 12
    row = {
        "model": f"{ticker}-Open",
        "ticker": ticker,
        "column": "Open",
        "name": name,
        "stage": "None" if version is None else "Production",
        "version": version,
        "answering": version,
        "verdict": verdict,
        "evidence": 41_000.0 if verdict == "proven" else 2.5,
        "preset": None if version is None else "anchored",
        "promoted_at": None if version is None else AT - timedelta(days=20),
        "promoted_by": None if version is None else "gate",
        "trained_as_of": None if version is None else date(2026, 11, 5),
        "version_days": None if version is None else 22,
        "forecast": made_forecast(price, currency, version, move=move, width=width),
        "forecasts": scored + 1,
        "scored": scored,
        "skill": float(rng.normal(0.02, 0.03)) if scored >= 63 else None,
        "skills": {21: 0.031, 63: 0.024} if scored >= 63 else {},
        "coverage": float(np.clip(rng.normal(0.948, 0.01), 0, 1)) if scored else None,
        "coverage_level": 95.0,
        "prices_as_of": date(2026, 11, 27),
        "prices_days": 4 if number % 9 == 1 else 1,
        "alarms": ("The stored prices lack the newest 2 sessions.",) if number % 9 == 1 else (),
        "missing": 2 if number % 9 == 1 else 0,
    }
    return BoardRow.model_validate(row | changes)


def with_cone(row: BoardRow, horizons: Sequence[int] = (5, 21), no_skill: Sequence[int] = (21,)) -> BoardRow:
    """The row with forecasts of later sessions, whose ranges grow with the root of how far ahead they are.

    no_skill: at which of them the naive distribution stands in
    """
    made = row.forecast
    assert made is not None
    further = []
    for horizon in horizons:
        half = 0.03 * made.naive * math.sqrt(horizon)
        quantiles = by_probability(around(np.array([made.median]), 0.6 * half, half)[0])
        ranges = {level: interval_of(quantiles, level) for level in (80, 95)}
        naive = horizon in no_skill
        scored = 0 if naive else 120 - horizon
        further.append(
            FurtherRow(
                horizon=horizon,
                session=np.busday_offset(np.datetime64(SESSION), horizon - 1).item(),
                version=None if naive else row.version,
                verdict="no skill" if naive else "undecided",
                evidence=0.4 if naive else 3.1,
                median=made.median,
                quantiles=quantiles,
                ranges=ranges,
                naive_ranges=ranges,
                scored=scored,
                skill=None if naive else 0.011,
                coverage=None if naive else 0.942,
                coverage_level=0.95,
            )
        )
    return row.model_copy(update={"further": tuple(further)})


def made_board(count: int) -> Board:
    """A board of so many models, by name."""
    rows = sorted((made_row(number) for number in range(count)), key=lambda row: row.model)
    return Board(read_at=AT, rows=tuple(rows))


def write_ledger(settings: Settings, sessions: int = 130, model: str = "META-Open") -> BoardRow:
    """Forecasts of so many sessions, the last one of a session to come, and a history; returns the model's row.

    Prices move by 1.5 % a day; the forecasts' ranges are right, so that about 95 % lie within the wider one.
    """
    rng = np.random.default_rng(7)
    days = np.busday_offset(np.datetime64(SESSION), np.arange(-sessions, 1), roll="backward").tolist()
    prices = 600 * np.exp(np.cumsum(rng.normal(0, 0.015, sessions + 1)))
    ledger, filled = Ledger(settings.ledger_uri), []
    for at in range(1, sessions + 1):
        before, naive = days[at - 1], float(prices[at - 1])
        version = None if at < 8 else 1 if at < 60 else 2 if at < 110 else 3
        half = 0.0294 * naive * (1.0 if version else 1.15)
        median = naive * (1 + float(rng.normal(0, 0.001)))
        own = by_probability(around(np.array([median]), 0.654 * half, half)[0])
        wide = by_probability(around(np.array([naive]), 0.7 * half, 1.12 * half)[0])
        intervals = {level: interval_of(own, level) for level in (80, 95)}
        made = RecordedForecast(
            model=model,
            version=version,
            ticker="META",
            column="Open",
            as_of=before,
            session=days[at],
            forecast=median,
            quantiles=own,
            intervals=intervals,
            lower=intervals[95][0],
            upper=intervals[95][1],
            level=0.95,
            naive=naive,
            naive_name="newest_Close",
            naives={"newest_Close": naive, "newest_Open": naive * 1.002},
            naive_quantiles={"constant_500": wide},
            source="yahoo",
            stale=False,
            run_id="r",
            fingerprint="f",
            made_at=datetime.combine(before, datetime.min.time(), UTC) + timedelta(hours=22),
            late=False,
            currency="USD",
            explanation=None if version is None else EXPLANATION,
        )
        ledger.append(made)
        if at < sessions:
            filled.append((made, float(prices[at])))
    ledger.fill_in(filled, at=AT)
    StageHistory(settings.ledger_uri).append(
        [stage_change(1, 180), stage_change(2, 100), stage_change(3, 20), stage_change(4, 2)]
    )
    newest = ledger.of_newest_session(model)[-1]
    return made_row(
        5,
        forecast=forecast_row(newest),
        forecasts=sessions,
        scored=sessions - 1,
        skill=0.024,
        skills=SKILLS,
        claim=CLAIM,
    )


def stage_change(version: int, ago: int) -> StageChange:
    """The gate's decision on a version: the fourth is refused, the others are promoted."""
    passes = version < 4
    return StageChange(
        move=f"move {version}",
        model="META-Open",
        version=version,
        before="Staging",
        after="Production" if passes else "Staging",
        at=AT - timedelta(days=ago),
        by="gate",
        decision=DecisionWord.PROMOTED if passes else DecisionWord.REFUSED,
        reasons=(
            "PASS evidence of skill: 44,541 to 1 (1,250 sessions, preset anchored); needed 20 to 1.",
            f"{'PASS' if passes else 'FAIL'} CRPS of the newest 250 sessions / naive: {0.971 if passes else 1.012}; "
            "needed 1 at most.",
            "PASS coverage at 95 %: 94.6 % (1,250 sessions); needed 89.3 % at least.",
            "INFO RMSE of the median / naive: 1.000.",
        ),
        verdict="proven",
        evidence=44_541.0,
    )


@dataclass
class FakeService:
    """What the pages take of the service: settings, and a board that a test replaces."""

    settings: Settings
    board: Board = field(default_factory=Board)


@dataclass
class Pages:
    """Pages that are served: their address, the link that lets a browser in, and what they show."""

    address: str
    service: FakeService

    @property
    def link(self) -> str:
        return page_link(self.address, KEY, SALT)

    def replace(self, row: BoardRow) -> None:
        """Show another row in place of that of the same model."""
        rows = tuple(row if old.model == row.model else old for old in self.service.board.rows)
        self.service.board = self.service.board.model_copy(update={"rows": rows})


@contextmanager
def served_pages(home: Path, board: Board) -> Iterator[Pages]:
    """The pages behind their guard on a free port."""
    app, port = FastAPI(docs_url=None, redoc_url=None), free_port()
    service = FakeService(Settings(home=home), board)
    app.state.service = service
    problems.handle(app)
    for part in (routes, docs):
        app.include_router(part.router)
    address = f"http://127.0.0.1:{port}"
    guarded = ServingGuard(app, Door(address, "a proof"), KEY, SALT)
    server = uvicorn.Server(uvicorn.Config(guarded, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 120
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield Pages(address, service)
    finally:
        server.should_exit = True
        thread.join(30)


@contextmanager
def asking(service: FakeService, router: APIRouter) -> Iterator[TestClient]:
    """A client of these pages or endpoints, without a server."""
    app = FastAPI()
    app.state.service = service
    problems.handle(app)
    app.include_router(router)
    with TestClient(app) as client:
        yield client
