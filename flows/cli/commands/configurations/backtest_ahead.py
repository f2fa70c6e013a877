"""The further horizons of `tomorrow backtest`, as JSON and as a table each."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flows.cli.result import table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from model.evaluation.evaluation import Evaluation

# The distribution's scores first, then the errors of its median.
SHOWN = ("crps", "crps_skill", "rmse", "mae", "skill", "coverage_80", "coverage_95")


def finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """None for infinity, which JSON lacks: the skill against a naive forecast without any error."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def as_json(further: "Mapping[int, Evaluation]") -> tuple[dict[str, Any], ...]:
    """Each horizon's forecasts with their figures, and those of the naive ones beside them."""
    from model.backtest.further_result import further_rows

    return tuple(
        {
            "horizon": ahead,
            "sessions": len(judged.sessions),
            "forecasts": [{"label": label, **finite(figures)} for label, figures in further_rows(judged).items()],
        }
        for ahead, judged in further.items()
    )


def tables_ahead(further: "Mapping[int, Evaluation]") -> "Iterator[str | RenderableType]":
    """A table for each horizon, with its result in a sentence."""
    from model.backtest.further_result import further_rows, verdict_ahead
    from model.backtest.html_report import metric, written

    for ahead, judged in further.items():
        rows, shown = further_rows(judged), [metric(name) for name in SHOWN]
        yield table(
            (f"{ahead} sessions ahead", *(heading for _, heading, _ in shown)),
            [
                (label, *(written(row[name], form, judged.money) if name in row else "" for name, _, form in shown))
                for label, row in rows.items()
            ],
            figures=True,
            indent=2,
        )
        yield ""
        yield f"  {verdict_ahead(ahead, judged)}"
        yield ""
