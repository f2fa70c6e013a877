"""A command's result: JSON from a report's attributes, and text with tables on a terminal and elsewhere."""

import json
import pickle
from datetime import UTC, date, datetime

import pytest

from flows.cli.result import Answer, CommandResult, Moment, PricesAnswer, for_each, lines, of, rendered, table
from model.config import PriceRequest
from model.errors import UnknownSymbol
from tasks.prices.fetch import FetchedPrices
from tests.market import zigzag

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


def test_an_answer_is_read_from_a_reports_attributes() -> None:
    prices = zigzag(30)
    answer = PricesAnswer.model_validate(FetchedPrices(prices=prices, stale=True, missing=(date(2020, 1, 2),)))
    assert json.loads(answer.as_json()) == {
        "notes": [],
        "verdict": "not compared",
        "snapshot": None,
        "stale": True,
        "missing": ["2020-01-02"],
        "fingerprint": prices.fingerprint,
        "sessions": 30,
        "first": str(prices.first),
        "last": str(prices.last),
    }


class Somewhere(Answer):
    """An answer whose first field may be read from nowhere."""

    last: date | None = of("prices.last", None)
    at: Moment


def test_where_something_on_the_way_is_not_there_the_default_is_meant() -> None:
    class Report:
        prices = None
        at = datetime(2020, 1, 2, 3, tzinfo=UTC)

    assert json.loads(Somewhere.model_validate(Report()).as_json()) == {"last": None, "at": "2020-01-02T03:00:00+00:00"}


class Priced(Answer):
    """An answer about one security."""

    ticker: str


def test_of_several_securities_the_failure_of_one_stands_among_the_others_answers() -> None:
    def run(request: PriceRequest) -> CommandResult:
        if request.ticker == "NIX":
            raise UnknownSymbol("NIX", have="no such symbol", need="a symbol", remedy="correct it")
        return CommandResult(Priced(ticker=request.ticker), lines(request.ticker, table(HEAD, ROWS)))

    requests = [PriceRequest(ticker=ticker) for ticker in ("A", "NIX", "B")]
    # A process of its own hands its result over.
    result = pickle.loads(pickle.dumps(for_each(requests, 0, run)))  # noqa: S301 - our own
    answer = json.loads(result.answer.as_json())
    assert [each["ticker"] for each in answer["securities"]] == ["A", "NIX", "B"]
    assert answer["securities"][1]["error"]["kind"] == "UnknownSymbol"
    assert (answer["failed"], result.exit_code) == (1, 3)
    assert rendered(result.text, terminal=False).splitlines()[-1] == "2 of 3 securities done"
    alone = for_each(requests[:1], 0, run)
    assert (alone.answer, alone.exit_code) == (Priced(ticker="A"), 0)
    with pytest.raises(UnknownSymbol):
        for_each(requests[1:2], 0, run)
