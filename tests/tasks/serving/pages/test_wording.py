"""How the pages write odds: as commands do, so that the same evidence has one number everywhere."""

import pytest

from tasks.serving.pages.wording import DASH, odds


@pytest.mark.parametrize(
    ("value", "written"),
    [(None, DASH), (560.7, "560 to 1"), (19.99, "19 to 1"), (3e11, "over a million to 1"), (0.125, "1 to 8.0")],
)
def test_odds_are_never_rounded_up_to_what_was_not_reached(value: float | None, written: str) -> None:
    assert odds(value) == written
