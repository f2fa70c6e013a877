"""Days in sentences: how many they are, and the first of them."""

from model.market.prices import Days

DAYS_SHOWN = 5


def count_days(days: Days, noun: str) -> str:
    """`1 session`, `2 sessions`."""
    return f"{len(days)} {noun}" + ("" if len(days) == 1 else "s")


def list_days(days: Days) -> str:
    """The first days by date, and how many more there are."""
    return ", ".join(str(day) for day in days[:DAYS_SHOWN]) + and_more(len(days))


def and_more(count: int) -> str:
    """How many of `count` days are not shown, such as ` and 3 more`; nothing where all are."""
    return f" and {count - DAYS_SHOWN} more" if count > DAYS_SHOWN else ""
