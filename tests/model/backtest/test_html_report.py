"""The report: everything within one page, and nothing that a browser would have to fetch."""

import re
from dataclasses import replace
from html.parser import HTMLParser

from model.backtest.html_report import report_page, verdict
from model.backtest.result import comparison_rows
from model.evaluation.distribution import no_distributions
from tests.model.backtest.test_result import PRICES, plan, result

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


def named_rows(page: str) -> dict[str, list[str]]:
    """The cells of each row by its name; a wide table's parts repeat the name, and are put together again."""
    rows: dict[str, list[str]] = {}
    for name, *cells in read(page).rows:
        rows.setdefault(name, [name]).extend(cells)
    return rows


def test_nothing_is_fetched_from_anywhere() -> None:
    page = report_page(result(plan()), {"skill-by-month": PNG}, {"code": "v1"})
    reader = read(page)
    assert {"script", "link", "iframe"} & set(reader.tags) == set()
    assert reader.addresses == ["data:image/png;base64,iVBORw0KGgo="]
    assert not re.search(r"https?://|@import|url\(", page)


def test_every_forecast_has_a_row_with_its_errors() -> None:
    made = result(plan(statistical=True))
    rows = named_rows(report_page(made, {}, {}))
    for standing in comparison_rows(made):
        assert rows[standing.label][2] == f"${standing.metrics['rmse']:,.3f}"
    assert rows["forecast"][1:5] == ["CRPS", "RMSE", "CRPS skill", "RMSE skill"]
    assert rows["AutoARIMA"][1:3] == [f"${made.reference.crps:,.3f}", "$8.000"]
    assert rows["naive: the newest Close"][1] == "\N{EN DASH}"


def test_a_wide_table_comes_in_parts_that_fit_on_paper() -> None:
    heads = [row for row in read(report_page(result(plan(statistical=True)), {}, {})).rows if row[0] == "forecast"]
    assert len(heads) > 1
    assert max(map(len, heads)) <= 9
    assert max(map(len, heads)) - min(map(len, heads)) <= len(heads)


def test_seeds_and_months_have_tables_of_their_own() -> None:
    rows = named_rows(report_page(result(plan()), {}, {}))
    assert rows["0"][2] == "$1.000"
    assert rows["lowest"][2] == "$1.000"
    assert rows["month"][1:6] == ["sessions", "CRPS", "naive CRPS", "RMSE", "naive RMSE"]
    assert (rows["2020-03"][1], rows["2020-03"][4]) == ("22", "$3.000")


def test_the_verdict_on_the_distributions_comes_before_that_on_the_point_forecasts() -> None:
    (preset,) = result(plan()).presets
    metrics = preset.metrics
    assert verdict(preset) == (
        f"offset (tutorial) beats the best naive distribution: CRPS ${metrics['crps']:.3f}, mean of 2 seeds, "
        f"naive ${metrics['naive_crps']:.3f}, skill {metrics['crps_skill']:+.4f}. As a point forecast it does not beat "
        f"the best naive one (no skill): RMSE ${metrics['rmse']:.3f}, mean of 2 seeds, "
        f"naive ${metrics['naive_rmse']:.3f}, skill {metrics['skill']:+.4f}."
    )
    assert "offset (tutorial) beats the best naive distribution" in report_page(result(plan()), {}, {})


def test_what_gives_no_distribution_is_judged_by_its_errors_alone() -> None:
    made = result(plan())
    seeds = {
        seed: replace(one, quantiles=no_distributions(len(one.sessions)))
        for seed, one in made.presets[0].by_seed.items()
    }
    bare = replace(made, presets=(replace(made.presets[0], by_seed=seeds),))
    page = report_page(bare, {}, {})
    assert "offset (tutorial) does not beat the best naive forecast (no skill): RMSE" in page
    assert named_rows(page)["offset (tutorial)"][1] == "\N{EN DASH}"


def test_the_meaning_of_evidence_stands_where_a_figure_shows_it() -> None:
    made, meaning = result(plan()), "reaches 20 to 1 with a chance of at most 1 in 20"
    assert meaning in report_page(made, {"evidence-offset": PNG}, {})
    assert meaning not in report_page(made, {"skill-by-month": PNG}, {})


def test_names_cannot_become_markup() -> None:
    page = report_page(result(plan()), {'"><script>': PNG}, {"<b>": "<script>alert(1)</script>"})
    assert "script" not in read(page).tags


def test_a_report_is_in_the_unit_of_its_prices() -> None:
    pence = replace(PRICES, security=replace(PRICES.security, currency="GBp"))
    made = result(replace(plan(), prices=pence))
    page = report_page(made, {}, {})
    assert "$" not in page
    assert "CRPS (in GBp) judges" in page
    assert read(page).rows[1][2] == f"{made.presets[0].metrics['rmse']:,.3f} GBp"
    assert f"naive {made.presets[0].metrics['naive_rmse']:,.3f} GBp" in verdict(made.presets[0])
