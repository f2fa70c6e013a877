"""The figures that a model's page draws, as numbers and texts; static/charts.js draws them with plotly's script.

Colours are the script's, since they depend on the reader's light or dark.
"""

import math
from collections.abc import Iterator
from typing import Any

from model.market.money import Money
from tasks.ledger.forecasts import RecordedForecast
from tasks.serving.pages.record import Record, Scores

BINS = 10


def charts(record: Record) -> dict[str, Any]:
    """What is drawn, by chart; `null` for a chart that has nothing to show yet."""
    money = record.money
    return {
        "unit": money.in_words,
        "digits": money.digits,
        "fan": _fan(record.rows) if record.rows else None,
        "pit": _pit(record.pit) if record.pit else None,
        "score": None if record.scores is None else _score(record.scores, money),
    }


def _fan(rows: tuple[RecordedForecast, ...]) -> dict[str, Any]:
    inside = [_is_within(row) for row in rows]
    return {
        "sessions": [str(row.session) for row in rows],
        "median": [row.forecast for row in rows],
        "naive": [row.naive for row in rows],
        **{
            f"{side}_{level}": [row.intervals[level][at] if level in row.intervals else None for row in rows]
            for level in (80, 95)
            for at, side in enumerate(("lower", "upper"))
        },
        "observed": [row.observed for row in rows],
        "outside": [found is False for found in inside],
        "texts": [_text(row) for row in rows],
        "versions": list(_changes(rows)),
    }


def _is_within(row: RecordedForecast) -> bool | None:
    """Whether what happened lay within the widest range; None where that is not known."""
    if row.observed is None or not row.intervals:
        return None
    low, high = row.intervals[max(row.intervals)]
    return low <= row.observed <= high


def _text(row: RecordedForecast) -> str:
    """What is shown of a session under the pointer; lines are parted by <br>, plotly's own markup."""
    money = row.money
    lines = [
        f"<b>{row.session:%a %Y-%m-%d}</b>, by {row.named}{', late' if row.late else ''}",
        f"median {money.price(row.forecast)}",
        *(f"{level} %: {money.span(*bounds)}" for level, bounds in sorted(row.intervals.items())),
        f"naive {money.price(row.naive)}",
        "not known yet" if row.observed is None else f"happened {money.price(row.observed)}",
    ]
    return "<br>".join(lines)


def _changes(rows: tuple[RecordedForecast, ...]) -> Iterator[dict[str, str]]:
    """The sessions from which on another version forecast."""
    before: str | None = None
    for row in rows:
        if row.named != before:
            yield {"session": str(row.session), "name": row.named}
        before = row.named


def _pit(values: list[float]) -> dict[str, Any]:
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int(value * BINS))] += 1
    n = len(values)
    low, high = (_binomial_quantile(probability, n, 1 / BINS) for probability in (0.025, 0.975))
    return {
        "n": n,
        "from": [at / BINS for at in range(BINS)],
        "share": [count / n for count in counts],
        "counts": counts,
        "expected": 1 / BINS,
        "by_chance": [low / n, high / n],
    }


def _binomial_quantile(probability: float, n: int, share: float) -> int:
    """The smallest count whose binomial distribution function reaches a probability; SciPy's takes a second to load."""
    reached = 0.0
    for count in range(n):
        reached += math.comb(n, count) * share**count * (1 - share) ** (n - count)
        if reached >= probability:
            return count
    return n


def _score(scores: Scores, money: Money) -> dict[str, Any]:
    lead, own, naive = scores.lead.tolist(), scores.own.cumsum().tolist(), scores.naive.cumsum().tolist()
    return {
        "sessions": [str(day) for day in scores.sessions],
        "lead": lead,
        "beside": scores.beside,
        "texts": [
            f"<b>{day:%a %Y-%m-%d}</b><br>CRPS added up: {money.score(ours)}<br>naive: {money.score(theirs)}"
            f"<br>lead: {money.difference(ahead)}"
            for day, ours, theirs, ahead in zip(scores.sessions, own, naive, lead, strict=True)
        ],
    }
