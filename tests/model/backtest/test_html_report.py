"""The report: everything within one page, and nothing that a browser would have to fetch."""

import re
from html.parser import HTMLParser

from model.backtest.html_report import report_page
from model.backtest.result import comparison_rows
from tests.model.backtest.test_result import plan, result

PNG = b"\x89PNG\r\n\x1a\n"


class _Reader(HTMLParser):
    """Tags, addresses and the cells of each row."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag == "tr":
            self.rows.append([])

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] in ("td", "th") and self.rows and data.strip():
            self.rows[-1].append(data)


def read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    return reader


def test_nothing_is_fetched_from_anywhere() -> None:
    page = report_page(result(plan()), {"skill-by-month": PNG}, {"code": "v1"})
    reader = read(page)
    assert {"script", "link", "iframe"} & set(reader.tags) == set()
    assert reader.addresses == ["data:image/png;base64,iVBORw0KGgo="]
    assert not re.search(r"https?://|@import|url\(", page)


def test_every_forecast_has_a_row_with_its_errors() -> None:
    made = result(plan(statistical=True))
    rows = {row[0]: row for row in read(report_page(made, {}, {})).rows}
    for standing in comparison_rows(made):
        assert rows[standing.label][1] == f"${standing.metrics['rmse']:,.3f}"
    assert rows["AutoARIMA"][1] == "$8.000"


def test_seeds_and_months_have_tables_of_their_own() -> None:
    rows = {row[0]: row for row in read(report_page(result(plan()), {}, {})).rows}
    assert rows["0"][1] == "$1.000"
    assert rows["lowest"][1] == "$1.000"
    assert rows["2020-03"][1:3] == ["22", "$3.000"]


def test_what_does_not_beat_the_naive_forecast_is_called_no_skill() -> None:
    assert "offset does not beat the best naive forecast (no skill)" in report_page(result(plan()), {}, {})


def test_names_cannot_become_markup() -> None:
    page = report_page(result(plan()), {'"><script>': PNG}, {"<b>": "<script>alert(1)</script>"})
    assert "script" not in read(page).tags
