"""The report of a day: one file that needs nothing, and a summary for mails and chats."""

import re
from datetime import date

from tasks.serving.report.page import report_page, summary
from tests.tasks.serving.pages.given import made_board, made_row, with_cone

DAY = date(2026, 11, 27)


def test_the_page_needs_no_other_file_no_script_and_no_host() -> None:
    page = report_page(made_board(12), DAY)
    assert "<script" not in page
    assert re.findall(r"\b(?:src|href|action)=", page) == []
    assert re.findall(r"url\(|@import", page) == []
    assert "default-src 'none'" in page
    assert page.count('<svg class="bar"') == 12


def test_every_model_is_in_it_those_with_alarms_first() -> None:
    board = made_board(500)
    shown = re.findall(r'data-name="([^"]+)"', report_page(board, DAY))
    alarmed = [row.model for row in board.rows if row.alarms]
    assert shown[: len(alarmed)] == alarmed
    assert sorted(shown) == sorted(row.model for row in board.rows)


def test_texts_of_others_are_escaped() -> None:
    board = made_board(1).model_copy(update={"rows": (made_row(0, name="</style><script>"),)})
    assert "<script" not in report_page(board, DAY)


def test_the_summary_gives_the_figures_of_each_model_and_its_alarms() -> None:
    row = made_row(1)
    board = made_board(0).model_copy(update={"rows": (row, made_row(3))})
    lines = summary(board, DAY).splitlines()
    assert lines[0] == "Board of Friday, 2026-11-27: 2 models (1 undecided, 1 naive), 1 model with alarms."
    assert lines[1].startswith("- BARC.L-Open 2026-11-30: ")
    assert "80 % " in lines[1]
    assert "GBp (version 3, undecided" in lines[1]
    assert lines[2] == "    ! The stored prices lack the newest 2 sessions."
    assert "(naive" in lines[3]


def test_a_long_summary_ends_with_how_many_are_left() -> None:
    lines = summary(made_board(500), DAY, 20).splitlines()
    assert lines[-1] == "... and 480 models more, in the report."


def test_what_could_not_be_read_is_said() -> None:
    board = made_board(1).model_copy(update={"faults": {"registry": "MLflow does not answer"}})
    assert "The registry cannot be read: MLflow does not answer" in summary(board, DAY)
    assert "MLflow does not answer" in report_page(board, DAY)


def test_later_sessions_are_drawn_in_the_report_and_told_in_the_summary() -> None:
    row = with_cone(made_row(5))
    board = made_board(0).model_copy(update={"rows": (row,)})
    page = report_page(board, DAY)
    assert page.count('<svg class="cone"') == 1
    assert page.count('<li class="stand-in">') == 1
    _, line, week, month = summary(board, DAY).splitlines()
    assert line.startswith("- META-Open 2026-11-30: ")
    assert week.startswith("    5 sessions ahead, Fri 2026-12-04: $")
    assert week.endswith(" (undecided)")
    assert month.startswith("    21 sessions ahead, Mon 2026-12-28: $")
    assert month.endswith(" (no skill, so the naive distribution)")
