"""What a model's page shows beside its charts: figures as they are written, tables, and links."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from model.evaluation.check import Result, read_check
from model.evaluation.metrics import Share
from model.forecaster.explanation import why_unexplained
from tasks.ledger.forecasts import RecordedForecast
from tasks.registry.stage_history import StageChange
from tasks.serving.board import BoardRow
from tasks.serving.pages.board_view import RowView
from tasks.serving.pages.record import Record
from tasks.serving.pages.wording import DASH
from tasks.settings import Settings
from tasks.system.access.stack_state import read_stack

OF_MODELS = "workflowType=machine_learning"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLine:
    """A session in the table: its day, who forecast it, and everything as it is written."""

    session: str
    by: str
    median: str
    ranges: tuple[str, str]
    naive: str
    happened: str
    within: str
    score: str
    naive_score: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLine:
    """A line of the history of stages: what happened, and why in a sentence."""

    line: StageChange
    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link into another server's pages."""

    address: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """A model's page: its row of the board, its record, and links into other servers' pages."""

    top: RowView
    record: Record
    links: tuple[Link, ...]

    @property
    def row(self) -> BoardRow:
        """The model's row of the board."""
        return self.top.row

    @property
    def unexplained(self) -> str:
        """Why the newest forecast has no explanation."""
        return why_unexplained(None if self.top.made is None else self.top.made.version)

    @property
    def sessions(self) -> list[SessionLine]:
        """The sessions, newest first."""
        scores = self.record.scores
        found = (
            {}
            if scores is None
            else dict(zip(scores.sessions, zip(scores.own, scores.naive, strict=True), strict=True))
        )
        return [_session(row, found.get(row.session)) for row in self.record.rows[::-1]]

    @property
    def changes(self) -> list[ChangeLine]:
        """The history of stages, newest first."""
        return [ChangeLine(line=line, what=_what(line), why=_why(line)) for line in self.record.changes]

    @property
    def coverages(self) -> list[tuple[str, Share]]:
        """The coverage by level."""
        return [(f"{100 * level:g} %", share) for level, share in self.record.coverages.items()]

    @property
    def lead(self) -> str:
        """How far the model is ahead; empty where it cannot be compared."""
        scores = self.record.scores
        if scores is None:
            return ""
        ahead, n = float(scores.lead[-1]), len(scores.sessions)
        word = "better" if ahead > 0 else "worse"
        own, naive = (self.record.money.score(float(values.mean())) for values in (scores.own, scores.naive))
        return f"Over {n} sessions the mean CRPS is {own}, naive {naive} ({scores.beside}): {word} than naive."


def view_model(settings: Settings, row: BoardRow, record: Record) -> ModelView:
    """The view of a model."""
    return ModelView(top=RowView.of(row), record=record, links=tuple(links(settings, row)))


def links(settings: Settings, row: BoardRow) -> Iterator[Link]:
    """Links to the model's pages in MLflow and Prefect, where their servers are known to run."""
    stack, tracking = read_stack(settings), settings.tracking_uri
    part = stack.part("mlflow") if stack else None
    mlflow = part.address if part else tracking.bare.rstrip("/") if tracking.is_server else None
    if mlflow:
        name = quote(row.model, safe="")
        yield Link(address=f"{mlflow}/#/models/{name}?{OF_MODELS}", text="the model in MLflow")
        if row.version is not None:
            place = f"{mlflow}/#/models/{name}/versions/{row.version}?{OF_MODELS}"
            yield Link(address=place, text=f"version {row.version} in MLflow")
    if stack is not None:
        prefect = f"http://{urlsplit(stack.prefect_api.bare).netloc}"
        yield Link(address=f"{prefect}/v2/runs", text="the runs in Prefect")
        yield Link(address=f"{prefect}/v2/artifacts", text="the artifacts in Prefect")


def _session(row: RecordedForecast, scores: tuple[float, float] | None) -> SessionLine:
    money = row.money
    first, second = (money.span(*row.intervals[level]) if level in row.intervals else DASH for level in (80, 95))
    return SessionLine(
        session=f"{row.session:%a %Y-%m-%d}",
        by=f"{row.named}{', late' if row.late else ''}",
        median=money.price(row.forecast),
        ranges=(first, second),
        naive=money.price(row.naive),
        happened="not yet" if row.observed is None else money.price(row.observed),
        within=_within(row),
        score=DASH if scores is None else money.score(scores[0]),
        naive_score=DASH if scores is None else money.score(scores[1]),
    )


def _within(row: RecordedForecast) -> str:
    """In which range the price lay: `80 %`, `95 %` or outside."""
    if row.observed is None or not row.intervals:
        return DASH
    for level, (low, high) in sorted(row.intervals.items()):
        if low <= row.observed <= high:
            return f"within {level} %"
    return "outside"


def _what(line: StageChange) -> str:
    moved = (
        f"{line.before} \N{RIGHTWARDS ARROW} {line.after}" if line.before != line.after else f"stays in {line.after}"
    )
    return f"{line.decision.value}: {moved}"


def _why(line: StageChange) -> str:
    """The reasons in a sentence: notes and failed checks; of checks that passed their number."""
    if line.forced:
        return line.forced
    checks = [read_check(reason) for reason in line.reasons]
    failed = [f"{check.name} {check.measured}, needed {check.needed}" for check in checks if not check.holds]
    passed = sum(check.result == Result.PASS for check in checks)
    notes = [check.measured for check in checks if not check.name]
    fault = f", {len(failed)} failed: {'; '.join(failed)}" if failed else ""
    counted = f"{passed} checks passed{fault}."
    return " ".join([*([counted] if passed or failed else []), *notes])
