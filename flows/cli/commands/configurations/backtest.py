"""`tomorrow backtest`: its options, its call, its JSON and its text."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from flows.cli.command import command
from flows.cli.commands.configurations.backtest_ahead import as_json, finite, tables_ahead
from flows.cli.configuration import cluster_address, given, jobs, prepare, validated
from flows.cli.options import (
    ClusterAddress,
    Jobs,
    PriceOptions,
    TrainingOptions,
    count,
    day,
    flag,
    month,
    option,
    several_presets,
)
from flows.cli.result import Answer, CommandResult, Count, PricesAnswer, for_each, lines, look, of, table
from model.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from flows.backtest import BacktestReport
    from model.backtest.plan import Plan
    from model.backtest.result import BacktestResult, PresetResult
    from model.config import ForecasterConfig, PriceRequest
    from tasks.settings import Settings

# The figures of each seed and of each month; the preset itself has all of them.
BRIEF = (
    *("crps", "naive_crps", "crps_skill", "log_score"),
    *("rmse", "mae", "naive_rmse", "naive_mae", "skill", "coverage_80", "coverage_95"),
)
# The distribution's scores first, then the errors of its median; the report has all the others.
SHOWN = ("crps", "crps_skill", "log_score", "rmse", "mae", "skill", "coverage_80", "coverage_95")


class ForecastPart(Answer):
    """The sessions that are forecast."""

    sessions: int
    first: date
    last: date


def _test(plan: "Plan") -> ForecastPart:
    first, last = plan.origins[0], plan.origins[-1]
    return ForecastPart(
        sessions=plan.n_sessions, first=plan.prices.day(first.start), last=plan.prices.day(last.stop - 1)
    )


def _presets(presets: "Sequence[PresetResult]") -> dict[str, dict[str, Any]]:
    """Each preset's figures, those of each seed and month, how they spread, and those of the seeds' mean forecast."""
    return {
        preset.name: {
            **finite(preset.metrics),
            "seeds": [{"seed": seed, **_brief(judged.metrics())} for seed, judged in preset.by_seed.items()],
            "spread": {name: finite(asdict(spread)) for name, spread in preset.spread.items() if name in BRIEF},
            "ensemble": finite(preset.ensemble.metrics()),
            "months": [
                {"month": month.month, "sessions": month.sessions, **_brief(month.metrics)} for month in preset.months
            ],
        }
        for preset in presets
    }


def _rows(result: "BacktestResult") -> list[dict[str, Any]]:
    """Every forecast that is compared, with its figures."""
    from model.backtest.result import comparison_rows

    return [{"name": row.name, "kind": row.kind, **finite(row.metrics)} for row in comparison_rows(result)]


def _brief(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return finite({name: metrics[name] for name in BRIEF if name in metrics})


class BacktestAnswer(Answer):
    """The object of `tomorrow backtest --json`."""

    run_id: str
    run_url: str
    report: str = of("report_uri")
    ticker: str = of("fetched.prices.security.ticker")
    column: str = of("result.plan.column")
    source: str = of("fetched.prices.source")
    currency: str | None = of("fetched.prices.security.unit")
    prices: PricesAnswer = of("fetched")
    first: str | None = of("result.plan.config.first", serialization_alias="from")
    last: str | None = of("result.plan.config.last", serialization_alias="to")
    every: str = of("result.plan.config.every")
    refit: str | int = of("result.plan.config.refit")
    window: str = of("result.plan.config.window")
    statistical: bool = of("result.plan.config.statistical")
    seeds: Annotated[tuple[int, ...], BeforeValidator(lambda presets: tuple(presets[0].by_seed))] = of("result.presets")
    origins: Count = of("result.plan.origins")
    test: Annotated[ForecastPart, BeforeValidator(_test)] = of("result.plan")
    remarks: tuple[str, ...] = of("result.remarks")
    best_naive: str = of("result.reference.best_naive")
    presets: Annotated[dict[str, dict[str, Any]], BeforeValidator(_presets)] = of("result.presets")
    forecasts: Annotated[tuple[dict[str, Any], ...], BeforeValidator(_rows)] = of("result")
    horizons: Annotated[tuple[dict[str, Any], ...], BeforeValidator(as_json)] = of("result.further")
    resumed: int
    computed: int
    jobs: int
    fit_seconds: float
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestPriceOptions(PriceOptions):
    """Which prices; here `--from` is the first month, so the first price has an option of its own."""

    first: Annotated[
        date | None,
        option("--prices-from", "DATE", "Use only prices from that day on (YYYY-MM-DD).", parser=day),
    ] = None


@command("tomorrow backtest --from 2018-01 --to 2020-11 --refit 12 --presets tutorial,anchored --seeds 5")
def backtest(
    prices: BacktestPriceOptions,
    training: TrainingOptions,
    presets: Annotated[
        str,
        option("--presets", "NAME,...", "Training configurations, each as --preset takes it.", parser=several_presets),
    ] = "tutorial",
    first_month: Annotated[
        str | None, option("--from", "YYYY-MM", "First month (default: a year before the last).", parser=month)
    ] = None,
    last_month: Annotated[
        str | None, option("--to", "YYYY-MM", "Last month (default: the newest in the prices).", parser=month)
    ] = None,
    every: Annotated[str, option("--every", "month|quarter|year", "How far apart the origins are.")] = "month",
    refit: Annotated[
        str, option("--refit", "each|N|never", "Fit anew at each origin, every N origins, or only once.")
    ] = "each",
    window: Annotated[
        str,
        option("--window", "expanding|sliding:YEARS", "Fit on all earlier sessions, or on the newest years of them."),
    ] = "expanding",
    seeds: Annotated[int, count("--seeds", "Fit each preset N times, with a different seed each time.")] = 1,
    statistical: Annotated[
        bool, flag("--statistical", "Compare with GARCH, log-HAR, AutoETS and AutoARIMA as well; needs the extra.")
    ] = False,
    processes: Jobs = None,
    cluster: ClusterAddress = None,
) -> CommandResult:
    """Walk-forward backtest: train and forecast at past dates, and compare with naive forecasts.

    To continue an interrupted backtest, run the same command again.
    """
    if first_month and last_month:
        check_order(first_month, last_month)
    wanted = prices.requests()
    forecasters, workers = _forecasters(presets, training), jobs(processes, fits=True)
    from model.backtest.plan import WINDOW, BacktestConfig

    options = given(
        first=first_month,
        last=last_month,
        every=every,
        refit=_refit(refit),
        window=window,
        seeds=seeds,
        statistical=statistical,
    )
    if not re.fullmatch(WINDOW, window):
        raise _no_window(window)
    names = {name: f"--{name}" for name in options} | {"first": "--from", "last": "--to"}
    config = validated(BacktestConfig, options, names)
    settings, requests = prepare(wanted)
    address = cluster_address(cluster, settings)
    one_fit = config.refit == "never" and config.seeds == len(forecasters) == 1 and not config.statistical
    from flows.cli.several import beside_server

    with beside_server(address, 1 if one_fit else workers, fits=True):
        from flows.backtest import backtest as flow

        def run(request: "PriceRequest") -> CommandResult:
            report = flow(request=request, backtest=config, forecasters=forecasters, jobs=workers)
            return CommandResult(BacktestAnswer.model_validate(report), _text(report, settings))

        return for_each(requests, settings.prices.pause, run)


def check_order(first: str, last: str) -> None:
    """UsageError where the first month is after the last."""
    if first > last:
        raise UsageError(
            f"--from {first} --to {last}",
            have="the first month is after the last one",
            need="a first month that is not later than the last",
            remedy="swap the two",
        )


def _no_window(text: str) -> UsageError:
    return UsageError(
        "--window",
        have=repr(text),
        need="expanding, or sliding:YEARS with 1 to 99 years",
        remedy="for example --window sliding:5",
    )


def _refit(text: str) -> int | str:
    if text in ("each", "never"):
        return text
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise UsageError(
        "--refit",
        have=repr(text),
        need="each, never, or a number N: fit again at every N-th origin",
        remedy="for example --refit 12, which with monthly origins fits once a year",
    )


def _forecasters(presets: str, training: TrainingOptions) -> "tuple[ForecasterConfig, ...]":
    """The named presets, each once, with what the options change."""
    named = dict.fromkeys(name.strip() for name in presets.split(",") if name.strip())
    if not named:
        raise UsageError(
            f"--presets {presets!r}",
            have="no preset is named",
            need="at least one, with commas between several",
            remedy="for example --presets tutorial,anchored",
        )
    made = tuple(training.forecaster(name) for name in named)
    if len({config.preset for config in made}) < len(made):
        raise UsageError(
            f"--presets {presets}",
            have="two presets of one name",
            need="each name once: it stands for the preset in the tables",
            remedy="leave one of them out, or rename its file",
        )
    return made


def _text(report: "BacktestReport", settings: "Settings") -> "RenderableType":
    from model.backtest.html_report import metric, verdict, written
    from model.backtest.result import comparison_rows

    result, config = report.result, report.result.plan.config
    rows, money = comparison_rows(result), result.reference.money
    shown = [metric(name) for name in SHOWN if any(name in row.metrics for row in rows)]
    seeds = [(preset.label, preset.spread["rmse"]) for preset in result.presets if len(preset.by_seed) > 1]
    refit = f"every {config.refit} origins" if isinstance(config.refit, int) else config.refit
    return lines(
        f"{result.subject}, {result.period}: {len(result.reference.sessions)} sessions, "
        f"{len(result.plan.origins)} origins.",
        f"  refit {refit}, window {config.window}, {config.seeds} seed{'s' if config.seeds > 1 else ''}; "
        f"{report.computed} results computed" + (f", {report.resumed} kept from before" if report.resumed else ""),
        "",
        table(
            ("", *(heading for _, heading, _ in shown)),
            [
                (
                    row.label,
                    *(
                        written(row.metrics[name], form, money) if name in row.metrics else ""
                        for name, _, form in shown
                    ),
                )
                for row in rows
            ],
            figures=True,
            indent=2,
        ),
        "",
        *(f"  {verdict(preset)}" for preset in result.presets),
        *(
            f"  {name} from seed to seed: RMSE {money.score(spread.minimum)} to {money.score(spread.maximum)}, "
            f"standard deviation {money.score(spread.sd)}."
            for name, spread in seeds
        ),
        *(f"  {remark}" for remark in result.remarks),
        "",
        *tables_ahead(result.further),
        f"  report   {report.report_uri.removeprefix('file://')}",
        *look(report.run_url, settings),
    )
