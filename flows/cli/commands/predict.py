"""`tomorrow predict`: its options, its call, its JSON and its text."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated

from flows.cli.command import command
from flows.cli.configuration import parse_column, prepare
from flows.cli.options import ClusterAddress, ColumnName, Jobs, PriceOptions, flag
from flows.cli.result import Answer, CommandResult, FetchAnswer, Moment, of
from model.evaluation.decision import Verdict
from model.forecaster.explanation import Explanation, why_unexplained

if TYPE_CHECKING:
    from flows.predict import PredictReport, ToldHorizon
    from model.config import Column, PriceRequest
    from tasks.ledger.forecasts import RecordedForecast
    from tasks.settings import Settings

Explain = Annotated[bool, flag("--explain", "Say what made the forecast wide or narrow; the JSON always has it.")]
WITHOUT = "not known when it was made, so the mean of the training part stood in."
LATE = "made after that session opened. It is recorded but will not be scored."


class HorizonAnswer(Answer):
    """The forecast of one horizon.

    horizon: how many sessions ahead
    version: null for the naive distribution, as where the version has no skill so far ahead
    verdict: what is known of the version's skill at this horizon; null where that was not judged
    """

    horizon: int = of("row.horizon")
    session: date = of("row.session")
    version: int | None = of("row.version")
    forecast: float = of("row.forecast")
    intervals: dict[int, tuple[float, float]] = of("row.intervals")
    quantiles: Mapping[float, float] = of("row.quantiles")
    verdict: Verdict | None


class PredictAnswer(Answer):
    """The object of `tomorrow predict --json`, as the ledger holds the forecast.

    version:   null for the naive distribution, which is recorded where no version is in Production
    forecast:  the median of the distribution
    without:   the other series that the version knows and that were not there; null where none is lacking
    quantiles: the distribution, probability -> price; empty where the version gave none
    intervals: level in per cent -> lower and upper bound, read from the quantiles
    currency:  of the prices; `points` for an index; null for an exchange rate, or where it is not known
    horizons:  the forecast of each horizon, that of the next session first
    explanation: what made the distribution wide or narrow: `usual` times every one of `factors` is `scale`; null where
               there are no such factors
    """

    model: str = of("forecast.model")
    version: int | None = of("forecast.version")
    ticker: str = of("forecast.ticker")
    column: str = of("forecast.column")
    as_of: date = of("forecast.as_of")
    session: date = of("forecast.session")
    forecast: float = of("forecast.forecast")
    lower: float | None = of("forecast.lower")
    upper: float | None = of("forecast.upper")
    level: float | None = of("forecast.level")
    intervals: dict[int, tuple[float, float]] = of("forecast.intervals")
    quantiles: Mapping[float, float] = of("forecast.quantiles")
    naive: float = of("forecast.naive")
    naive_name: str = of("forecast.naive_name")
    naives: Mapping[str, float] = of("forecast.naives")
    source: str = of("forecast.source")
    stale: bool = of("forecast.stale")
    without: str | None = of("forecast.without")
    late: bool | None = of("forecast.late")
    fingerprint: str = of("forecast.fingerprint")
    prices: FetchAnswer = of("fetched")
    currency: str | None = of("forecast.currency")
    explanation: Explanation | None = of("forecast.explanation")
    horizons: tuple[HorizonAnswer, ...]
    made_at: Moment = of("forecast.made_at")
    recorded: bool = of("created")
    notes: tuple[str, ...] = of("version.notes", ())
    seconds: dict[str, float]


@command("tomorrow predict --source sample")
def predict(
    prices: PriceOptions,
    column: ColumnName = "Open",
    explain: Explain = False,
    processes: Jobs = None,
    cluster: ClusterAddress = None,
) -> CommandResult:
    """Load the Production version, forecast the next session, and write the forecast to the ledger.

    With several securities, --jobs processes forecast at the same time, or those of an existing Dask cluster.
    """
    name = parse_column(column)
    settings, requests = prepare(prices.requests())
    if len(requests) == 1:
        _check_production(settings, requests[0], name)
    from flows.cli.several import for_each_security, processes_for
    from tasks.tracking.model_artifact import load_libraries

    wanted = {request: (request, name, explain) for request in requests}
    with processes_for(len(wanted), settings, processes, cluster, fits=False, meanwhile=load_libraries) as made:
        return for_each_security("predict", wanted, predict_security, made, settings.prices.pause)


def predict_security(wanted: "tuple[PriceRequest, Column, bool]") -> CommandResult:
    """One forecast, in whatever process; with its explanation in the text, if that is asked for."""
    from flows.predict import predict as flow
    from flows.runs.final_state import carry_out

    request, column, explain = wanted
    return predict_result(carry_out(flow, request=request, column=column), explain=explain)


def _check_production(settings: "Settings", request: "PriceRequest", column: str) -> None:
    """Fail before Prefect is started if nothing is in Production; of several securities each fails by itself."""
    from flows.runs.clock import now
    from tasks.prices.request import wanted_security
    from tasks.registry.mistakes import check_production

    check_production(settings, settings.model_name(wanted_security(request, settings).ticker, column), now())


def predict_result(report: "PredictReport", *, explain: bool = False) -> CommandResult:
    """The command's result, from a forecast; `explain`: the text says what made it wide or narrow."""
    return CommandResult(PredictAnswer.model_validate(report), _text(report, explain))


def _tails(made: "RecordedForecast") -> Iterator[str]:
    """The prices that it falls below, or rises above, about once in a hundred times each."""
    money, quantiles = made.money, made.quantiles
    if quantiles.keys() >= {0.01, 0.99}:
        yield f"  1 in 100: below {money.price(quantiles[0.01])}; 1 in 100: above {money.price(quantiles[0.99])}"


def _explanation(made: "RecordedForecast") -> Iterator[str]:
    """The explanation as a sentence and as a product, or why there is none."""
    why = made.explanation
    if why is None:
        yield f"  {why_unexplained(made.version)}"
        return
    yield f"  {why.sentence}"
    yield f"    usual scale  {100 * why.usual:6.3f} % of the price"
    yield from (f"    {factor.name:11}  {factor.value:6.3f} times" for factor in why.strongest)
    yield f"    scale        {100 * why.scale:6.3f} % of the price"


def _ahead(told: "ToldHorizon") -> str:
    """A further horizon on one line, with what is known of the version's skill so far ahead."""
    row, known = told.row, str(told.verdict or "not judged")
    if row.version is None and told.verdict != Verdict.NO_SKILL:
        known += " now; recorded earlier, when no skill was found: the naive distribution"
    elif row.version is None:
        known += ", so this is the naive distribution"
    elif told.verdict == Verdict.NO_SKILL:
        known += " now; recorded earlier, before that was found: the version's own forecast"
    spans = "; ".join(f"{level} %: {row.money.span(low, high)}" for level, (low, high) in row.intervals.items())
    return f"  {row.horizon} sessions ahead, {row.session:%Y-%m-%d}: {row.money.price(row.forecast)}; {spans}; {known}"


def _text(report: "PredictReport", explain: bool) -> str:
    from flows.runs.wording import made_by
    from model.evaluation.baselines import naive_label

    made, version, money = report.forecast, report.version, report.forecast.money
    by = made_by(made) if version is None else f"{made.model} {version.named}, in Production"
    lines = [
        f"{made.ticker} {made.column} on {made.session:%A, %Y-%m-%d}: {money.price(made.forecast)}",
        *(f"  {level} %: {money.span(low, high)}" for level, (low, high) in made.intervals.items()),
        *_tails(made),
        *(_explanation(made) if explain else ()),
        *map(_ahead, report.horizons[1:]),
        f"  naive: {naive_label(made.naive_name)}: {money.price(made.naive)}",
        f"  by {by}; prices from {made.source}, as of {made.as_of}",
        *([f"  late: {LATE}"] if made.late else []),
        *([f"  without {made.without}: {WITHOUT}"] if made.without else []),
        *(f"  prices: {note}" for note in report.fetched.prices.notes),
        *(f"  note: {note}" for note in (version.notes if version else ())),
        "  written to the ledger"
        if report.created
        else f"  already in the ledger since {made.made_at:%Y-%m-%d %H:%M} UTC, which is not changed",
    ]
    return "\n".join(lines)
