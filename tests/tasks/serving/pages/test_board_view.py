"""Which rows the board shows, in which order, page by page."""

from tasks.serving.pages.board_view import SIZE, Chosen, select, view_board
from tests.tasks.serving.pages.given import made_board, made_row, with_cone

BOARD = made_board(500)


def names(chosen: Chosen) -> list[str]:
    return [row.model for row in select(BOARD, chosen)]


def test_text_is_looked_for_in_ticker_and_name_whatever_its_case() -> None:
    few = made_board(8)
    assert [row.model for row in select(few, Chosen(text="face"))] == ["META-Open"]
    assert [row.model for row in select(few, Chosen(text="open coca"))] == ["KO-Open"]
    assert select(few, Chosen(text="nobody")) == []


def test_choices_are_joined() -> None:
    chosen = Chosen(verdict="no skill", alarms=True)
    found = [row for row in BOARD.rows if row.verdict == "no skill" and row.alarms]
    assert found
    assert names(chosen) == [row.model for row in found]


def test_rows_without_the_figure_come_last() -> None:
    found = [row.skill for row in select(BOARD, Chosen(order="skill"))]
    known = [value for value in found if value is not None]
    assert known == sorted(known, reverse=True)
    assert found[len(known) :] == [None] * (len(found) - len(known))
    assert len(known) < len(found)


def test_every_row_is_on_one_page() -> None:
    pages = [view_board(BOARD, Chosen(page=number)) for number in range(1, 11)]
    shown = [view.row.model for page in pages for view in page.rows]
    assert shown == [row.model for row in BOARD.rows]
    assert {page.pages for page in pages} == {500 // SIZE}


def test_after_the_last_page_comes_the_last_page() -> None:
    assert view_board(BOARD, Chosen(page=99)).chosen.page == 10
    assert view_board(BOARD, Chosen(text="nobody", page=3)).chosen.page == 1


def test_the_address_of_another_page_keeps_what_was_chosen() -> None:
    chosen = Chosen(text="a b", verdict="no skill", stage="Production", alarms=True, order="skill")
    assert dict(chosen.query(2)) == {
        "text": "a b",
        "verdict": "no skill",
        "stage": "Production",
        "alarms": "1",
        "order": "skill",
        "page": "2",
    }
    assert Chosen().query(1) == []


def test_who_made_a_forecast_is_said_where_it_is_not_the_version_in_production() -> None:
    row = made_row(5)
    assert row.forecast is not None
    (same,) = view_board(made_board(0).model_copy(update={"rows": (row,)}), Chosen()).rows
    later = row.model_copy(update={"version": 4})
    (other,) = view_board(made_board(0).model_copy(update={"rows": (later,)}), Chosen()).rows
    assert (same.by, other.by) == ("", "by version 3")


def test_later_sessions_are_named_and_what_stands_in_for_a_version_is_said() -> None:
    few = with_cone(made_row(5), (2, 5, 21), (5,))
    (view,) = view_board(made_board(0).model_copy(update={"rows": (few,)}), Chosen()).rows
    assert view.ahead == "2, 5 and 21 sessions ahead"
    assert [one.known for one in view.further] == ["undecided", "no skill, so the naive distribution", "undecided"]
    assert [one.naive for one in view.further] == [False, True, False]
    assert [one.counts for one in view.further] == ["", "0 of 63 so far", ""]
