"""How a model's forecasts have done, as `tomorrow status` has it: its JSON and its lines."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field

from flows.cli.result import Answer, of

if TYPE_CHECKING:
    from model.market.money import Money
    from tasks.forecasts.kept_figures import Figures


class NewestForecast(Answer):
    """The newest forecast of a model; without a version it is the naive distribution's."""

    session: date
    forecast: float
    naive: float = Field(exclude=True)
    currency: str | None
    version: int | None


class FurtherStatus(Answer):
    """How the forecasts of a later session have done, by themselves; the figures are those of `ForecastStatus`."""

    horizon: int
    scored: int = of("figures.scored")
    crps: float | None = of("figures.crps")
    naive_crps: float | None = of("figures.naive_crps")
    coverage: float | None = of("figures.coverage")
    level: float | None = of("figures.level")
    evidence: float | None = of("figures.evidence")
    claim: str | None = of("figures.claim")
    skill: dict[int, float] = of("figures.skills")


@dataclass(frozen=True, slots=True)
class _Horizon:
    """The figures of one horizon."""

    horizon: int
    figures: "Figures"


def _horizons(further: "Mapping[int, Figures]") -> list[_Horizon]:
    return [_Horizon(ahead, figures) for ahead, figures in sorted(further.items())]


class ForecastStatus(Answer):
    """How the forecasts of a model have done; `horizons` has those of later sessions, all else is of the next one."""

    model: str
    forecasts: int
    scored: int
    crps: float | None
    naive_crps: float | None
    rmse: float | None
    naive_rmse: float | None
    coverage: float | None
    level: float | None
    evidence: float | None
    claim: str | None
    skill: dict[int, float] = of("skills")
    horizons: Annotated[tuple[FurtherStatus, ...], BeforeValidator(_horizons)] = of("further")
    newest: NewestForecast


def forecasts_lines(summary: ForecastStatus) -> list[str]:
    """The lines of a model: its newest forecast and its scores, what may be said of them, and each later session."""
    from flows.runs.wording import live_text
    from model.market.money import Money

    money = Money.at(summary.newest.currency, summary.newest.naive)
    live = () if summary.claim is None else (f"  {live_text(summary.claim, summary.skill)}",)
    return [_forecasts_line(summary, money), *live, *(_further_line(each, money) for each in summary.horizons)]


def _forecasts_line(summary: ForecastStatus, money: "Money") -> str:
    newest = summary.newest
    line = f"{summary.model}: {summary.forecasts} made, newest {money.price(newest.forecast)} for {newest.session}"
    line += " (naive); " if newest.version is None else "; "
    if summary.rmse is None or summary.naive_rmse is None:
        return line + _unjudged(summary.scored)
    line += f"{summary.scored} scored, "
    if summary.crps is not None and summary.naive_crps is not None:
        line += f"CRPS {money.score(summary.crps)}, naive {money.score(summary.naive_crps)}; "
    return f"{line}RMSE {money.score(summary.rmse)}, naive {money.score(summary.naive_rmse)}{_held(summary)}"


def _further_line(further: FurtherStatus, money: "Money") -> str:
    """How the forecasts of a later session have done, on one line."""
    from flows.runs.wording import live_text

    line = f"  {further.horizon} sessions ahead: "
    if further.crps is None or further.naive_crps is None:
        return line + _unjudged(further.scored)
    scores = f"CRPS {money.score(further.crps)}, naive {money.score(further.naive_crps)}{_held(further)}"
    live = "" if further.claim is None else f". {live_text(further.claim, further.skill)}"
    return f"{line}{further.scored} scored, {scores}{live}"


def _unjudged(scored: int) -> str:
    return f"{scored} scored, none of them by a version" if scored else "none scored"


def _held(summary: ForecastStatus | FurtherStatus) -> str:
    """How many prices were within the widest interval; nothing where there is none."""
    if summary.coverage is None or summary.level is None:
        return ""
    return f", {100 * summary.coverage:.0f} % within the {100 * summary.level:.0f} % interval"
