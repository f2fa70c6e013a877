"""The board: which rows are selected, and how they are cut into pages."""

import pytest

from tasks.serving.board import Board, BoardRow


def row(ticker: str, verdict: str, version: int | None = None) -> BoardRow:
    stage = "None" if version is None else "Production"
    given = {"ticker": ticker, "column": "Open", "stage": stage, "version": version, "verdict": verdict}
    return BoardRow.model_validate({"model": f"{ticker}-Open", **given})


BOARD = Board(rows=(row("KO", "naive"), row("META", "proven", 3), row("MSFT", "undecided", 1), row("PEP", "naive")))


@pytest.mark.parametrize(
    ("chosen", "models"),
    [
        ({}, ["KO-Open", "META-Open", "MSFT-Open", "PEP-Open"]),
        ({"ticker": " meta"}, ["META-Open"]),
        ({"verdict": "naive"}, ["KO-Open", "PEP-Open"]),
        ({"stage": "Production"}, ["META-Open", "MSFT-Open"]),
        ({"stage": "Production", "verdict": "naive"}, []),
    ],
)
def test_rows_are_selected(chosen: dict[str, str], models: list[str]) -> None:
    assert [found.model for found in BOARD.select(**chosen)] == models  # type: ignore[arg-type]


@pytest.mark.parametrize(("number", "models"), [(1, ["KO-Open", "META-Open", "MSFT-Open"]), (2, ["PEP-Open"]), (3, [])])
def test_a_page_says_how_many_there_are(number: int, models: list[str]) -> None:
    page = BOARD.page(number, 3)
    assert [found.model for found in page.rows] == models
    assert (page.total, page.pages) == (4, 2)


def test_an_empty_board_has_one_page() -> None:
    assert Board().page().pages == 1
