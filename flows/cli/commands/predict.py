"""`tomorrow predict`: its options, its call, its JSON and its text."""

from typing import TYPE_CHECKING

from flows.cli.command import command
from flows.cli.configuration import column as parse_column
from flows.cli.configuration import prepare
from flows.cli.options import ColumnName, PriceOptions
from flows.cli.result import Answer, CommandResult, FetchAnswer, fetch_answer, for_each

if TYPE_CHECKING:
    from flows.predict import PredictReport
    from model.config import PriceRequest

LATE = "made after that session opened. It is recorded but will not be scored."


class PredictAnswer(Answer):
    """The object of `tomorrow predict --json`, as the ledger holds the forecast."""

    model: str
    version: int
    ticker: str
    column: str
    as_of: str
    session: str
    forecast: float
    lower: float | None
    upper: float | None
    level: float | None
    intervals: dict[str, tuple[float, float]]
    naive: float
    naive_name: str
    naives: dict[str, float]
    source: str
    stale: bool
    late: bool | None
    fingerprint: str
    prices: FetchAnswer
    made_at: str
    recorded: bool
    notes: tuple[str, ...]
    seconds: dict[str, float]


@command("tomorrow predict --source sample")
def predict(prices: PriceOptions, column: ColumnName = "Open") -> CommandResult:
    """Load the Production version, forecast the next session, and write the forecast to the ledger."""
    requests, name = prices.requests(), parse_column(column)
    settings, requests = prepare(requests)
    from tasks.system.prefect_server import orchestrated
    from tasks.tracking.model_artifact import load_libraries

    with orchestrated(meanwhile=load_libraries):
        from flows.predict import predict as flow

        def run(request: "PriceRequest") -> CommandResult:
            return predict_result(flow(request=request, column=name))

        return for_each(requests, settings.prices.pause, run)


def predict_result(report: "PredictReport") -> CommandResult:
    """What a forecast came to."""
    return CommandResult(predict_answer(report), _text(report))


def predict_answer(report: "PredictReport") -> PredictAnswer:
    """The JSON object of one forecast."""
    made = report.forecast
    return PredictAnswer(
        model=made.model,
        version=made.version,
        ticker=made.ticker,
        column=made.column,
        as_of=made.as_of.isoformat(),
        session=made.session.isoformat(),
        forecast=made.forecast,
        lower=made.lower,
        upper=made.upper,
        level=made.level,
        intervals={str(level): bounds for level, bounds in made.known_intervals.items()},
        naive=made.naive,
        naive_name=made.naive_name,
        naives=dict(made.naives),
        source=made.source,
        stale=made.stale,
        late=made.late,
        fingerprint=made.fingerprint,
        prices=fetch_answer(report.fetched),
        made_at=made.made_at.isoformat(),
        recorded=report.created,
        notes=report.version.notes,
        seconds=report.seconds,
    )


def _text(report: "PredictReport") -> str:
    from model.evaluation.baselines import naive_label

    made = report.forecast
    lines = [
        f"{made.ticker} {made.column} on {made.session:%A, %Y-%m-%d}: ${made.forecast:.2f}",
        *(f"  {level} %: ${low:.2f} to ${high:.2f}" for level, (low, high) in made.known_intervals.items()),
        f"  naive: {naive_label(made.naive_name)}: ${made.naive:.2f}",
        f"  by {made.model} {report.version.named}, in Production; prices from {made.source}, as of {made.as_of}",
        *([f"  late: {LATE}"] if made.late else []),
        *(f"  prices: {note}" for note in report.fetched.prices.notes),
        *(f"  note: {note}" for note in report.version.notes),
        "  written to the ledger"
        if report.created
        else f"  the ledger holds it already: made {made.made_at:%Y-%m-%d %H:%M} UTC, and it stays as it was",
    ]
    return "\n".join(lines)
