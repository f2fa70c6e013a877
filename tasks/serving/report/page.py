"""The report of a day: a page that needs nothing but itself, and a summary in plain text for mails and chats."""

from collections.abc import Iterator
from datetime import date

from tasks.serving.board import Board
from tasks.serving.pages.board_view import BoardView, Chosen, FurtherView, RowView, view_board
from tasks.serving.pages.static_files import FOLDER
from tasks.serving.pages.templating import rendered
from tasks.serving.pages.wording import plural, skill

# A chat shows no more lines at once; the page has all of them.
SHOWN = 20


def report_page(board: Board, day: date) -> str:
    """The whole board of a day as HTML: its style and its pictures stand in it, and it has no script."""
    style = (FOLDER / "board.css").read_text(encoding="utf-8")
    view = view_board(board, Chosen(order="alarms"), size=None)
    return rendered("report.html.j2", day=day, view=view, read_at=board.read_at, faults=board.faults, style=style)


def report_title(day: date) -> str:
    """What the report is called."""
    return f"Board of {day:%A, %Y-%m-%d}"


def summary(board: Board, day: date, most: int | None = SHOWN) -> str:
    """The board in lines of text: the models with alarms first, at most so many; and what could not be read."""
    return "\n".join(_lines(board, view_board(board, Chosen(order="alarms"), size=None), day, most))


def _lines(board: Board, view: BoardView, day: date, most: int | None) -> Iterator[str]:
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in view.counts.items() if count)
    alarms = f"{plural(view.alarms, 'model')} with alarms" if view.alarms else "no alarms"
    yield f"{report_title(day)}: {plural(view.all_models, 'model')}{f' ({counts})' if counts else ''}, {alarms}."
    yield from (f"The {part} cannot be read: {fault}" for part, fault in board.faults.items())
    shown = view.rows if most is None else view.rows[:most]
    for row in shown:
        yield _line(row)
        yield from (f"    {_ahead(one)}" for one in row.further)
        yield from (f"    ! {alarm}" for alarm in row.row.alarms)
    if len(shown) < len(view.rows):
        yield f"... and {plural(len(view.rows) - len(shown), 'model')} more, in the report."


def _line(view: RowView) -> str:
    row, made = view.row, view.made
    standing = {"None": "naive", "unknown": "version not known"}.get(row.stage, f"version {row.version}, {row.verdict}")
    if made is None:
        return f"- {row.model}: no forecast yet ({standing})"
    live = "" if row.skill is None else f"; live skill {skill(row.skill)}"
    ranges = f", 80 % {view.span(80)}, 95 % {view.span(95)}" if made.ranges else ""
    return (
        f"- {row.model} {made.session}: {view.price(made.median)}{ranges}; naive {view.price(made.naive)} "
        f"({standing}{live}){' LATE' if made.late else ''}"
    )


def _ahead(one: FurtherView) -> str:
    return f"{one.when}: {one.median}, 80 % {one.ranges[0]}, 95 % {one.ranges[1]} ({one.known})"
