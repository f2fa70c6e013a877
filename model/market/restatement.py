"""What a source has changed in a security's past since the previous fetch.

Whole histories are compared, since every dividend and every split rescales everything before it. There are seven
verdicts, from harmless to worst. A comparison gets the worst that applies, and each change has its own line:

same      the same numbers, apart from rounding
grown     newer sessions were added at the end
settled   one of the newest two sessions has been corrected, which is usual for a day or two
dividend  every older Adj Close has been multiplied by one number
split     every older price has been multiplied by one number
units     every older price has been multiplied or divided by 100 or 1000, and no volume: another unit of money
restated  anything else: sessions removed or inserted, single prices changed
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from model.market.findings import DAYS_SHOWN, count_days, list_days
from model.market.moves import UNITS
from model.market.prices import COLUMNS, Days, Prices, Values

Verdict = Literal["same", "grown", "settled", "dividend", "split", "units", "restated"]
RowMask = npt.NDArray[np.bool_]

SETTLING_SESSIONS = 2

# A source may rescale the past some days after the split or dividend: at most this many newest sessions are left as is.
LATE_SESSIONS = 10

# Prices are single precision and rounded to six decimals; volumes are corrected a little for as long as a year.
_RELATIVE, _ABSOLUTE, _VOLUME = 1e-4, 1e-6, 0.05

# Largest correction of a single day; a split changes more.
_CORRECTION = 0.02

# More vanished days than this are no accident of a few rows.
_MOST_VANISHED = 20

_LARGEST_TERM = 20  # in a split's ratio such as 3:2; with a 1, as in 50:1, any

_ADJUSTED, _SHARES = COLUMNS.index("Adj Close"), COLUMNS.index("Volume")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a history differs from the previous one.

    lines: a sentence for each kind of change, with its days and numbers
    days:  the days of the past that changed irregularly, as text; empty unless the verdict is `restated`
    """

    verdict: Verdict
    lines: tuple[str, ...] = ()
    days: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Factor:
    """One number by which the first `rows` rows were multiplied; `wrong` are those that neither it nor 1 explains."""

    number: float
    rows: int
    wrong: RowMask

    @property
    def known(self) -> bool:
        """Whether there is such a number: it is not 1."""
        return self.number != 1.0


def compare_prices(before: Prices, after: Prices) -> Comparison:
    """Compare two histories of one security up to where the shorter of them ends; the newer may have grown."""
    shorter = before.until(after.last) if len(after) else before
    rows_before, rows_after = (
        np.isin(first.sessions, second.sessions, assume_unique=True)
        for first, second in ((shorter, after), (after, shorter))
    )
    newest = shorter.sessions[-1] if len(shorter) else np.datetime64("0001-01-01", "D")
    gone = shorter.sessions[~rows_before]
    others = after.sessions[~rows_after]
    added, put_in = others[others > newest], others[others <= newest]
    old, new = shorter.values[rows_before], after.values[rows_after]
    days = shorter.sessions[rows_before]
    settling = days > settled_until(shorter)
    split = find_factor(old[:, :4], new[:, :4], settling)
    adjusted = find_factor(old[:, [_ADJUSTED]], new[:, [_ADJUSTED]], settling)
    expected = _expected(old, split, adjusted)
    wrong = split.wrong | adjusted.wrong | _other_volumes(old[:, _SHARES], expected[:, _SHARES], new[:, _SHARES])
    irregular = wrong & ~settling
    lines: list[tuple[Verdict, str]] = []
    if gone.size or put_in.size or irregular.any():
        lines += [("restated", line) for line in _restated(gone, put_in, days, expected, new, irregular)]
    if split.known and is_unit(split, old[:, _SHARES], new[:, _SHARES]):
        done = f"divided by {1 / split.number:.6g}" if split.number < 1 else f"multiplied by {split.number:.6g}"
        lines.append(("units", f"change of units: prices up to {days[split.rows - 1]} {done}, and volumes as before"))
    elif split.known:
        what = f"split {_ratio(1 / split.number)}: prices up to {days[split.rows - 1]}"
        lines.append(("split", f"{what} multiplied by {split.number:.6g}"))
    if adjusted.known and not np.isclose(adjusted.number, split.number, rtol=_RELATIVE, atol=0):
        paid = adjusted.number / split.number
        what = f"dividend{'' if paid < 1 else ' taken back'}: Adj Close up to {days[adjusted.rows - 1]}"
        lines.append(("dividend", f"{what} multiplied by {paid:.6g}"))
    if (wrong & settling).any():
        lines += [("settled", line) for line in describe_changes(days, expected, new, wrong & settling)]
    if added.size:
        lines.append(("grown", f"{count_days(added, 'session')} added: {_range(added)}"))
    if len(shorter) < len(before):
        cut = before.sessions[len(shorter) :]
        lines.append(("same", f"{count_days(cut, 'session')} at the end not there: {_range(cut)}"))
    touched = np.concatenate([gone, put_in, days[irregular]])
    return Comparison(
        verdict=lines[0][0] if lines else "same",
        lines=tuple(line for _, line in lines),
        days=tuple(str(day) for day in np.sort(touched)),
    )


def with_vanished(before: Prices, after: Prices, wanted: Days) -> tuple[Prices, Days]:
    """The newer history with the days that it has lost put back from the older one; and which days these are.

    A day of `wanted` is lost if the newer history lacks it, or some of its numbers, and has later days. Its prices are
    rescaled as splits and dividends have rescaled the days around it; where those days do not agree, it stays lost.
    """
    whole, known = _whole(after), _whole(before)
    kept = whole.copy()
    kept[-1:] = True
    past = wanted[(wanted >= after.sessions[0]) & (wanted < after.sessions[-1])]
    lost = np.setdiff1d(past, after.sessions[kept], assume_unique=True)
    lost = np.intersect1d(lost, before.sessions[known], assume_unique=True)
    if not 0 < len(lost) <= _MOST_VANISHED:
        return after, lost[:0]
    common = np.intersect1d(before.sessions[known], after.sessions[whole], assume_unique=True)
    old, new = (prices.values[np.isin(prices.sessions, common)] for prices in (before, after))
    found: dict[np.datetime64, Values] = {}
    for day in lost:
        place = int(np.searchsorted(common, day))
        near = slice(max(0, place - 1), place + 1)
        factors = _factors(old[near], new[near])
        if factors is not None:
            found[day] = before.values[np.searchsorted(before.sessions, day)] * factors
    filled = np.array(list(found), dtype="datetime64[D]")
    stay = ~np.isin(after.sessions, filled)
    sessions = np.concatenate([after.sessions[stay], filled])
    values = np.concatenate([after.values[stay], np.array(list(found.values())).reshape(-1, len(COLUMNS))])
    order = np.argsort(sessions)
    return replace(after, sessions=sessions[order], values=values[order]), filled


def _whole(prices: Prices) -> RowMask:
    """The rows in which no number is missing."""
    rows: RowMask = np.logical_and.reduce(np.isfinite(prices.values), axis=1, dtype=np.bool_)
    return rows


def _factors(old: Values, new: Values) -> Values | None:
    """The factor of each column from the old rows to the new ones; None where the rows do not agree."""
    if not len(old) or not bool((old[:, :5] > 0).all()):
        return None
    prices = new[:, :5] / old[:, :5]
    scale, adjusted = float(np.median(prices[:, :4])), float(np.median(prices[:, _ADJUSTED]))
    agree = np.abs(prices / [scale] * np.array([1, 1, 1, 1, scale / adjusted]) - 1) <= _CORRECTION
    if not bool(agree.all()):
        return None
    traded = old[:, _SHARES] > 0
    shares = float(np.median(new[traded, _SHARES] / old[traded, _SHARES])) if traded.any() else 1.0
    shares = 1 / scale if abs(shares * scale - 1) <= _VOLUME < abs(shares - 1) else 1.0
    return np.array([scale, scale, scale, scale, adjusted, shares])


def dollars_ratio(then: Mapping[str, float], now: Mapping[str, float]) -> float | None:
    """The factor from dollars of `then` to dollars of `now`; None where no single factor explains the difference.

    Both hold the naive forecasts of the same moment by name, made from the history as it was then and as it is now. A
    common factor comes from a split; small differences are corrections of single days, and the factor is 1.
    """
    ratios = np.array([now[name] / price for name, price in then.items() if name in now and price > 0])
    if not len(ratios):
        return None
    middle = float(np.median(ratios))
    if abs(middle - 1) > _RELATIVE and bool((np.abs(ratios / middle - 1) <= _RELATIVE).all()) and len(ratios) > 1:
        return middle
    return 1.0 if bool((np.abs(ratios - 1) <= _CORRECTION).all()) else None


def settled_until(prices: Prices) -> np.datetime64:
    """The newest session whose prices are final."""
    if len(prices) <= SETTLING_SESSIONS:
        return np.datetime64("0001-01-01", "D")
    day: np.datetime64 = prices.sessions[-1 - SETTLING_SESSIONS]
    return day


def find_factor(old: Values, new: Values, settling: RowMask, rounding: tuple[float, float] = (0, 0)) -> Factor:
    """The factor that leaves the fewest rows unexplained; 1 where that is as good.

    rounding: by how much rounding may have changed the old prices, and the new ones
    """
    plain = _differ(old, new, sum(rounding))
    best = Factor(number=1.0, rows=0, wrong=plain)
    if not (plain & ~settling).any():
        return best
    with np.errstate(divide="ignore", invalid="ignore"):
        number = float(np.median((new / old)[~settling]))
    if not (np.isfinite(number) and number > 0 and abs(number - 1) > _RELATIVE):
        return best
    scaled = _differ(old * number, new, number * rounding[0] + rounding[1])
    for rows in range(len(old), max(0, len(old) - LATE_SESSIONS - 1), -1):
        wrong = np.concatenate([scaled[:rows], plain[rows:]])
        if _unexplained(wrong, settling) < _unexplained(best.wrong, settling):
            best = Factor(number=number, rows=rows, wrong=wrong)
    return best


def is_unit(factor: Factor, old: Values, new: Values) -> bool:
    """Whether prices are in another unit of money: a split by such a factor would have changed the volumes as well."""
    size = max(factor.number, 1 / factor.number)
    if not any(abs(size / unit - 1) <= _RELATIVE for unit in UNITS):
        return False
    counted = (old > 0) & (new > 0)
    return not counted.any() or abs(float(np.median(new[counted] / old[counted])) - 1) <= _VOLUME


def _unexplained(wrong: RowMask, settling: RowMask) -> tuple[int, int]:
    return int((wrong & ~settling).sum()), int(wrong.sum())


def _expected(old: Values, split: Factor, adjusted: Factor) -> Values:
    """The old numbers, multiplied by the two factors."""
    expected = old.copy()
    expected[: split.rows, :4] *= split.number
    expected[: split.rows, _SHARES] /= split.number
    expected[: adjusted.rows, _ADJUSTED] *= adjusted.number
    return expected


def _differ(expected: Values, found: Values, rounding: float) -> RowMask:
    """The rows in which any number differs by more than rounding."""
    differing = np.abs(found - expected) > _RELATIVE * np.abs(expected) + _ABSOLUTE + rounding
    rows: RowMask = np.logical_or.reduce(differing, axis=1, dtype=np.bool_)
    return rows


def _other_volumes(old: Values, expected: Values, new: Values) -> RowMask:
    """The rows whose volume is neither the old one nor the old one rescaled by the split."""
    as_split, as_before = np.abs(new - expected) > _VOLUME * expected, np.abs(new - old) > _VOLUME * old
    rows: RowMask = as_split & as_before
    return rows


def _restated(gone: Days, put_in: Days, days: Days, old: Values, new: Values, irregular: RowMask) -> Iterator[str]:
    if gone.size:
        yield f"{count_days(gone, 'session')} of the past gone: {list_days(gone)}"
    if put_in.size:
        yield f"{count_days(put_in, 'session')} put into the past: {list_days(put_in)}"
    if irregular.any():
        yield from describe_changes(days, old, new, irregular)


def describe_changes(days: Days, old: Values, new: Values, rows: RowMask) -> Iterator[str]:
    """A line for each of the first rows, with old and new numbers, and one line for the rest."""
    changed = np.flatnonzero(rows)
    for row in changed[:DAYS_SHOWN]:
        cells = [
            f"{name} {_number(was)} became {_number(now)}" + (f" ({now / was - 1:+.2%})" if was else "")
            for name, was, now in zip(COLUMNS, old[row].tolist(), new[row].tolist(), strict=True)
            if abs(now - was) > _RELATIVE * abs(was) + _ABSOLUTE
        ]
        yield f"{days[row]}: {', '.join(cells)}"
    if len(changed) > DAYS_SHOWN:
        rest = days[changed[DAYS_SHOWN:]]
        yield f"and {count_days(rest, 'session')} more, {_range(rest)}"


def _ratio(number: float) -> str:
    """A split's ratio as it is usually written: 2:1, 3:2, 1:10."""
    for below in (*range(1, _LARGEST_TERM + 1), round(1 / number)):
        above = round(number * below)
        simple = min(above, below) == 1 or max(above, below) <= _LARGEST_TERM
        if above > 0 and simple and abs(above / below / number - 1) < _RELATIVE:
            return f"{above}:{below}"
    return f"{number:.4g}:1"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:.4f}"


def _range(days: Days) -> str:
    return str(days[0]) if len(days) == 1 else f"{days[0]} to {days[-1]}"
