"""What an error shows: nothing that moves a cursor, turns a line around or looks like another line."""

import pytest

from model.errors import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("it is too narrow, 50 % é 日本 😀", "it is too narrow, 50 % é 日本 😀"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[31mred\x07\x00", "\\x1b[31mred\\x07\\x00"),
        ("\u202eright\u200b\u2028line\x85", "\\u202eright\\u200b\\u2028line\\x85"),
        ("half of a pair \udcff", "half of a pair \\udcff"),
    ],
)
def test_what_controls_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown
    shown.encode()


def test_line_ends_may_be_kept() -> None:
    assert printable("a\nb\r", keep="\n") == "a\nb\\r"
