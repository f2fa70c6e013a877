"""What the board's page shows: which rows, in which order, and every figure as it is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from model.market.money import Money
from tasks.serving.board import Board, BoardRow, ForecastRow, FurtherRow, ShownVerdict, Standing
from tasks.serving.pages.pictures.cone import Cone, cone_picture
from tasks.serving.pages.pictures.factor_bars import FactorBars, factor_bars
from tasks.serving.pages.pictures.range_bar import RangeBar, range_bar
from tasks.serving.pages.wording import DASH, day

SIZE = 50
QUARTER = 63
NAIVE_AHEAD = "the naive distribution"
Order = Literal["name", "alarms", "skill", "width", "age"]
ORDERS: dict[Order, str] = {
    "name": "name",
    "alarms": "alarms first",
    "skill": "live skill, highest first",
    "width": "widest range first",
    "age": "oldest version first",
}
VERDICTS: tuple[ShownVerdict, ...] = get_args(ShownVerdict)
STAGES: dict[Standing, str] = {
    "Production": "in Production",
    "None": "nothing in Production",
    "unknown": "not known",
}
# Not by colour alone: each verdict has a sign, too.
SIGNS = {"proven": "\N{CHECK MARK}", "undecided": "?", "no skill": "\N{MULTIPLICATION X}", "naive": "\N{WHITE CIRCLE}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a person has chosen to see. Unknown values of an address count as not chosen."""

    text: str = ""
    verdict: ShownVerdict | None = None
    stage: Standing | None = None
    alarms: bool = False
    order: Order = "name"
    page: int = 1

    @property
    def is_everything(self) -> bool:
        """Whether no row is left out."""
        return not (self.text or self.verdict or self.stage or self.alarms)

    def query(self, page: int) -> list[tuple[str, str]]:
        """The parameters of an address that shows another page of the same."""
        pairs = (
            ("text", self.text),
            ("verdict", self.verdict or ""),
            ("stage", self.stage or ""),
            ("alarms", "1" if self.alarms else ""),
            ("order", "" if self.order == "name" else self.order),
            ("page", "" if page == 1 else str(page)),
        )
        return [(name, value) for name, value in pairs if value]


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherView:
    """A session after the next one, as it is written.

    naive: whether the naive distribution stands there, in grey
    known: what is known of the skill so far ahead; where the naive distribution stands in, that it does
    """

    row: FurtherRow
    when: str
    median: str
    ranges: tuple[str, str]
    naive: bool
    known: str

    @classmethod
    def of(cls, row: FurtherRow, money: Money) -> "FurtherView":
        """The view of a horizon."""
        first, second = (money.span(*row.ranges[level]) if level in row.ranges else DASH for level in (80, 95))
        naive = row.version is None
        known = {"naive": NAIVE_AHEAD}.get(row.verdict, f"{row.verdict}, so {NAIVE_AHEAD}" if naive else row.verdict)
        return cls(
            row=row,
            when=f"{row.horizon} sessions ahead, {day(row.session)}",
            median=money.price(row.median),
            ranges=(first, second),
            naive=naive,
            known=known,
        )

    @property
    def sign(self) -> str:
        """The sign of its verdict."""
        return SIGNS.get(self.row.verdict, "\N{MIDDLE DOT}")

    @property
    def counts(self) -> str:
        """How many of the forecasts for the live skill there are, where there are too few; else empty."""
        return "" if self.row.skill is not None else _too_few(self.row.scored)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """A row, with what is written in it beside the row's own values.

    made:    the newest forecast; bar: its ranges as a picture
    why:     what made it wide or narrow; None where it has no explanation
    further: the sessions after the next one; cone: all of them as a picture, None where there is none
    by:      who made it, where that is not the version in Production; empty otherwise
    counts:  how many of the forecasts for the live skill there are, where there are too few; else empty
    """

    row: BoardRow
    made: ForecastRow | None
    bar: RangeBar | None
    why: FactorBars | None
    further: tuple[FurtherView, ...]
    cone: Cone | None
    by: str
    counts: str

    @classmethod
    def of(cls, row: BoardRow) -> "RowView":
        """The view of a row."""
        made = row.forecast
        return cls(
            row=row,
            made=made,
            bar=None if made is None else range_bar(made),
            why=None if made is None else factor_bars(made.explanation),
            further=() if made is None else tuple(FurtherView.of(one, made.money) for one in row.further),
            cone=None if made is None else cone_picture(made, row.further),
            by=_maker(row, made),
            counts="" if row.skill is not None else _too_few(row.scored),
        )

    @property
    def key(self) -> str:
        """An id for its element: of the name's letters, the others as numbers."""
        return "row-" + "".join(at if at.isascii() and at.isalnum() else f"_{ord(at):x}" for at in self.row.model)

    @property
    def ahead(self) -> str:
        """Which sessions after the next one are forecast, too: `2, 5 and 21 sessions ahead`."""
        *others, last = (str(one.row.horizon) for one in self.further)
        return f"{', '.join(others)}{' and ' if others else ''}{last} sessions ahead"

    @property
    def sign(self) -> str:
        """The sign of its verdict."""
        return SIGNS.get(self.row.verdict, "\N{MIDDLE DOT}")

    def price(self, value: float) -> str:
        """A price in the row's currency."""
        return DASH if self.made is None else self.made.money.price(value)

    def span(self, level: int) -> str:
        """A range of the forecast; a dash where it has none."""
        if self.made is None or level not in self.made.ranges:
            return DASH
        return self.made.money.span(*self.made.ranges[level])


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardView:
    """A page of the board.

    rows:   those of the page; total: of all pages; all_models: without a choice
    counts: verdict -> how many models have it; alarms: how many models have one
    """

    rows: tuple[RowView, ...]
    chosen: Chosen
    total: int
    all_models: int
    pages: int
    counts: dict[ShownVerdict, int]
    alarms: int

    @property
    def first(self) -> int:
        """The number of its first row, counted from 1."""
        return (self.chosen.page - 1) * SIZE + 1 if self.rows else 0


def view_board(board: Board, chosen: Chosen, size: int | None = SIZE) -> BoardView:
    """The page that was chosen; the last one where there are fewer. Without a size, all rows on one page."""
    rows = select(board, chosen)
    length = size or max(1, len(rows))
    pages = max(1, -(-len(rows) // length))
    page = min(chosen.page, pages)
    shown = rows[(page - 1) * length : page * length]
    return BoardView(
        rows=tuple(map(RowView.of, shown)),
        chosen=Chosen(
            text=chosen.text,
            verdict=chosen.verdict,
            stage=chosen.stage,
            alarms=chosen.alarms,
            order=chosen.order,
            page=page,
        ),
        total=len(rows),
        all_models=len(board.rows),
        pages=pages,
        counts={found: sum(row.verdict == found for row in board.rows) for found in VERDICTS},
        alarms=sum(bool(row.alarms) for row in board.rows),
    )


def select(board: Board, chosen: Chosen) -> Sequence[BoardRow]:
    """The chosen rows, in order; those without a figure to order by come last."""
    words = chosen.text.casefold().split()
    rows = [
        row
        for row in board.select(verdict=chosen.verdict, stage=chosen.stage)
        if (row.alarms or not chosen.alarms)
        and all(word in f"{row.model} {row.ticker} {row.name}".casefold() for word in words)
    ]
    figure = _FIGURES.get(chosen.order)
    return rows if figure is None else sorted(rows, key=lambda row: (figure(row) is None, -(figure(row) or 0.0)))


def _too_few(scored: int) -> str:
    """How many forecasts count, in place of a quarter's; those by the naive distribution are not judged."""
    return f"{scored} of {QUARTER} so far" if scored < QUARTER else f"fewer than {QUARTER} by versions"


def _maker(row: BoardRow, made: ForecastRow | None) -> str:
    if made is None or (made.version == row.version and row.stage != "unknown"):
        return ""
    return "by the naive distribution" if made.version is None else f"by version {made.version}"


def _width(row: BoardRow) -> float | None:
    """The width of its widest range, in units of the price."""
    made = row.forecast
    if made is None or not made.ranges or not made.naive:
        return None
    low, high = made.ranges[max(made.ranges)]
    return (high - low) / abs(made.naive)


_FIGURES: dict[Order, Callable[[BoardRow], float | None]] = {
    "alarms": lambda row: float(len(row.alarms)) or None,
    "skill": lambda row: row.skill,
    "width": _width,
    "age": lambda row: None if row.version_days is None else float(row.version_days),
}
