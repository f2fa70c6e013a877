"""What has become of one model's forecasts: read from the ledger for its page."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from model.evaluation.baselines import naive_brief
from model.evaluation.check import Check, read_check
from model.evaluation.evaluation import Evaluation
from model.evaluation.metrics import Share
from model.market.money import Money
from model.market.prices import Values
from tasks.forecasts.overview import check_there
from tasks.forecasts.summary import judge_rows
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.registry.stage_history import StageChange, StageHistory
from tasks.settings import Address

SESSIONS = 120
LINES = 50
# A session may have several forecasts: of another version, of the naive distribution, or from an older day.
READ = 2 * SESSIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class GateTable:
    """The gate's newest decision on a version: the line of the history, and its checks."""

    line: StageChange
    checks: tuple[Check, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """The newest 120 sessions of a model, and its history.

    rows:    one forecast a session, oldest first, the next session last
    changes: the newest lines of the history of stages, newest first
    gate:    the newest decision of the gate that judged the version in Production, or else the newest judged one
    """

    rows: tuple[RecordedForecast, ...]
    changes: tuple[StageChange, ...]
    gate: GateTable | None

    @property
    def money(self) -> Money:
        """How its prices are written."""
        return self.rows[-1].money if self.rows else Money.at(None, math.nan)

    @cached_property
    def judged(self) -> Evaluation | None:
        """Those by versions that count, beside the naive forecasts; None where there are none."""
        rows = [row for row in self.rows if row.version is not None and row.observed is not None and not row.late]
        return judge_rows(rows) if rows else None

    @property
    def pit(self) -> list[float]:
        """The PIT of each session that counts: the forecast probability of prices up to the actual one."""
        if self.judged is None:
            return []
        values = self.judged.pit
        return [float(value) for value in values[np.isfinite(values)]]

    @property
    def coverages(self) -> dict[float, Share]:
        """Level, such as 0.8 -> how many prices lay within the range."""
        judged = self.judged
        if judged is None:
            return {}
        return {level: judged.coverage(level) for level in sorted(judged.intervals)}

    @cached_property
    def scores(self) -> "Scores | None":
        """The scores of each session beside the best naive distribution's; None where none can be compared."""
        judged = self.judged
        best = None if judged is None else judged.best_naive_distribution
        if judged is None or best is None:
            return None
        own, naive = judged.crps_of(judged.quantiles), judged.crps_of(judged.naive_quantiles[best])
        given = np.isfinite(own) & np.isfinite(naive)
        sessions = tuple(day for day, counts in zip(judged.sessions.tolist(), given.tolist(), strict=True) if counts)
        return Scores(sessions=sessions, own=own[given], naive=naive[given], beside=naive_brief(best))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """The CRPS of each session that is compared, (n,) in the unit of the price.

    beside: what the naive distribution is called
    """

    sessions: tuple[date, ...]
    own: Values
    naive: Values
    beside: str

    @property
    def lead(self) -> Values:
        """(n,) the naive CRPS minus the own one, added up: it rises where the model is better."""
        return np.asarray(np.cumsum(self.naive - self.own))


def read_record(ledger_uri: Address, model: str, version: int | None, *, has_forecasts: bool) -> Record:
    """Read it; ConfigurationError where the ledger cannot be read.

    version: in Production; None where nothing is
    """
    if has_forecasts:
        check_there(ledger_uri, "the ledger")
    elif ledger_uri.file is not None and not ledger_uri.file.exists():
        return Record(rows=(), changes=(), gate=None)
    found = Ledger(ledger_uri).by_session(model, last=READ) if has_forecasts else ()
    history = StageHistory(ledger_uri)
    changes = history.tail(model, LINES)
    line = None if version is None else history.judged(model, version)
    line = line or next((change for change in reversed(changes) if change.verdict is not None), None)
    gate = None if line is None else GateTable(line=line, checks=tuple(map(read_check, line.reasons)))
    return Record(rows=one_a_session(found)[-SESSIONS:], changes=changes[::-1], gate=gate)


def one_a_session(rows: Iterable[RecordedForecast]) -> tuple[RecordedForecast, ...]:
    """The forecast of each session that counts first: made in time, from the newest prices, by the newest version."""
    chosen: dict[date, RecordedForecast] = {}
    for row in sorted(rows, key=lambda row: (row.session, not row.late, row.as_of, row.version or 0)):
        chosen[row.session] = row
    return tuple(chosen.values())
