"""Text with tables: as it is printed on a terminal and elsewhere."""

import pytest

from flows.cli.result import lines, rendered, table

HEAD, ROWS = ("", "RMSE"), [("the forecast [of us]", "$1.000"), ("naive", "$10.000 :smile:")]


def test_text_without_a_table_stays_as_it_is() -> None:
    assert rendered(lines("one  ", "", "[bold]two[/bold]"), terminal=True) == "one  \n\n[bold]two[/bold]"


def test_a_table_is_aligned_and_neither_wrapped_nor_coloured_nor_padded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "10")
    text = lines("x" * 300, table(HEAD, ROWS, figures=True, indent=2), "after")
    assert rendered(text, terminal=False).splitlines() == [
        "x" * 300,
        "                                   RMSE",
        "  the forecast [of us]           $1.000",
        "  naive                 $10.000 :smile:",
        "after",
    ]
    assert rendered(table(("a", "b"), [("longer", "x")]), terminal=False) == "a       b\nlonger  x"


def test_headings_stand_out_on_a_terminal_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    text = rendered(table(HEAD, ROWS), terminal=True)
    assert "\x1b[1m" in text
    assert "\x1b[3" not in text
