"""How prices are written: in the currency that their source names, with as many digits as they need."""

import math
from dataclasses import dataclass
from typing import Self

POINTS = "points"
# Currencies whose prices are whole numbers.
_WHOLE = frozenset({"JPY", "KRW", "VND", "IDR", "CLP", "ISK", "PYG", "UGX", "RWF", "XAF", "XOF", "XPF"})
# Digits after the decimal point, and below ten, where prices move by less than a cent; the most significant digits.
_CENTS, _BELOW_TEN, _SIGNIFICANT = 2, 4, 6


@dataclass(frozen=True, slots=True)
class Money:
    """How the prices of one security are written: `$183.12`, `71.54 GBp`, `2,845 JPY`, `5,998.74 points`, `1.0312`.

    unit:   the currency as the source names it (`USD`, `GBp` for pence), `points` of an index; None where prices have
            none, as those of an exchange rate, or where it is not known
    digits: after the decimal point; scores and differences have one more
    """

    unit: str | None
    digits: int

    @classmethod
    def at(cls, unit: str | None, level: float) -> Self:
        """That of prices around a level: cents from 10 on, more digits below, and never more than six significant."""
        size = abs(level)
        if not math.isfinite(size) or not size:
            return cls(unit, _CENTS)
        power = math.floor(math.log10(size))
        needed = _CENTS if size >= 10 else max(_BELOW_TEN, _BELOW_TEN - 1 - power)
        if unit in _WHOLE and size >= 100:
            needed = 0
        return cls(unit, max(0, min(needed, _SIGNIFICANT - 1 - power)))

    @property
    def half_a_digit(self) -> float:
        """The largest rounding error of a written price: half a cent for dollars."""
        return 0.5 / 10.0**self.digits

    @property
    def in_words(self) -> str:
        """The unit as a figure's axis names it: `US dollars`; empty where there is none."""
        return "US dollars" if self.unit == "USD" else self.unit or ""

    def price(self, value: float) -> str:
        """A price; a dash for one that is undefined."""
        return self._signed(value, self.digits)

    def span(self, low: float, high: float) -> str:
        """Two prices, from the one to the other, with their unit once."""
        if self.unit == "USD":
            return f"{self.price(low)} to {self.price(high)}"
        return f"{low:,.{self.digits}f} to {self.price(high)}"

    def score(self, value: float) -> str:
        """A score or another mean of differences of prices; a dash for one that is undefined."""
        return self._signed(value, self.digits + 1)

    def difference(self, value: float) -> str:
        """A difference of prices with its sign: `$+0.120`."""
        return self._with_unit(f"{value:+,.{self.digits + 1}f}")

    def label(self, what: str) -> str:
        """The label of an axis that shows `what`: `price (US dollars)`."""
        return f"{what} ({self.in_words})" if self.unit else what

    def _signed(self, value: float, digits: int) -> str:
        if not math.isfinite(value):
            return "-"
        sign = "-" if value < 0 and round(value, digits) else ""
        return sign + self._with_unit(f"{abs(value):,.{digits}f}")

    def _with_unit(self, number: str) -> str:
        if self.unit == "USD":
            return f"${number}"
        return f"{number} {self.unit}" if self.unit else number
