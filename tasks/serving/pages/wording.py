"""How figures are written on the pages: signs, shares, days, times; a dash where there is nothing to write."""

from datetime import date, datetime

from model.evaluation.evidence.e_process import odds_text

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def skill(value: float | None) -> str:
    """A skill with its sign."""
    return DASH if value is None else f"{value:+.3f}".replace("-", MINUS)


def share(value: float | None) -> str:
    """A share in per cent."""
    return DASH if value is None else f"{100 * value:.1f} %"


def level(value: float | None) -> str:
    """The level of an interval, which is kept as a share or in per cent: `95 %`."""
    return "" if value is None else f"{value if value > 1 else 100 * value:g} %"


def days(count: int | None) -> str:
    """An age in days."""
    if count is None:
        return DASH
    return "today" if count < 1 else "1 day" if count == 1 else f"{count:,} days"


def day(value: date | None) -> str:
    """A day with its weekday: `Fri 2026-11-27`."""
    return DASH if value is None else f"{value:%a %Y-%m-%d}"


def moment(value: datetime | None) -> str:
    """A time in UTC, to the minute."""
    return DASH if value is None else f"{value:%Y-%m-%d %H:%M} UTC"


def number(count: int) -> str:
    """A whole number with its thousands apart."""
    return f"{count:,}"


def plural(count: int, one: str) -> str:
    """A number of things: `1 model`, `12 models`."""
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def odds(value: float | None) -> str:
    """The odds of an evidence as commands write them: `46 to 1`, never rounded up to what was not reached."""
    return DASH if value is None else odds_text(value)
