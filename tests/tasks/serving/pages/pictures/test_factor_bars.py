"""The picture of an explanation: a row for each factor, to the right where it widens, to the left where it narrows."""

import re
from datetime import date

import pytest

from model.forecaster.explanation import Explanation
from tasks.serving.board import Board
from tasks.serving.endpoints import forecasts, models
from tasks.serving.pages import routes
from tasks.serving.pages.pictures.factor_bars import LONGEST, MIDDLE, ROW, WIDTH, factor_bars
from tasks.serving.report.page import report_page
from tasks.settings import Settings
from tests.tasks.serving.pages.given import AT, EXPLANATION, FakeService, asking, made_row, write_ledger

SENTENCE = (
    "1.42 times its usual width: 1.25 from the last sessions&#39; moves, 1.10 from an earnings-like date, "
    "1.06 from the volume, 0.97 from which way the price went"
)


def of(**factors: float) -> Explanation:
    scale = 0.02
    for value in factors.values():
        scale *= value
    return Explanation(usual=0.02, factors=factors, scale=scale)


@pytest.mark.parametrize(
    ("value", "x", "width", "cut"),
    [
        (2.0, MIDDLE, LONGEST, False),
        (0.5, MIDDLE - LONGEST, LONGEST, False),
        (2**0.5, MIDDLE, LONGEST / 2, False),
        (2**-0.5, MIDDLE - LONGEST / 2, LONGEST / 2, False),
        (3.0, MIDDLE, LONGEST, True),
        (0.1, MIDDLE - LONGEST, LONGEST, True),
    ],
)
def test_a_bar_is_as_long_as_the_logarithm_of_its_factor_and_cut_at_twice_and_half(
    value: float, x: float, width: float, cut: bool
) -> None:
    found = factor_bars(of(moves=value))
    assert found is not None
    (row,) = found.rows
    assert (row.x, row.width) == pytest.approx((x, width))
    assert (row.cut, row.wider) == (cut, value > 1)
    points = [float(number) for number in re.findall(r"[ML](\d+)", row.tip)]
    assert 0 < min(points) < max(points) < WIDTH
    assert all((point > MIDDLE) == row.wider for point in points)


def test_factors_that_are_written_as_1_have_no_row_and_the_others_stand_below_one_another() -> None:
    found = factor_bars(of(network=1.0, echo=0.9, moves=1.5, volume=1.004))
    assert found is not None
    assert [(row.value, row.words) for row in found.rows] == [
        ("1.50", "the last sessions' moves"),
        ("0.90", "the same days in past quarters"),
    ]
    assert [row.top for row in found.rows] == [0, ROW]
    assert found.height == 2 * ROW
    assert found.times == "1.36"
    assert factor_bars(None) is None


def test_the_board_a_models_page_and_the_report_say_and_draw_it(settings: Settings) -> None:
    row = write_ledger(settings)
    assert row.forecast is not None
    assert row.forecast.explanation == EXPLANATION
    board = Board(read_at=AT, rows=(row,))
    with asking(FakeService(settings, board), routes.router) as client:
        pages = [client.get("/").text, client.get("/models/META-Open").text, report_page(board, date(2026, 11, 27))]
    for page in pages:
        assert f'role="img" aria-label="{SENTENCE}"' in page
        assert page.count('<rect class="wider"') == 3 + ("legend" in page)
        assert page.count('<rect class="narrower"') == 1
    assert f"<dd>{SENTENCE}" in pages[1]


def test_where_no_factor_stands_out_a_models_page_explains_no_bars(settings: Settings) -> None:
    row = write_ledger(settings)
    assert row.forecast is not None
    made = row.forecast.model_copy(update={"explanation": of(moves=1.0)})
    board = Board(read_at=AT, rows=(row.model_copy(update={"forecast": made}),))
    with asking(FakeService(settings, board), routes.router) as client:
        page = client.get("/models/META-Open").text
    assert "<dd>1.00 times its usual width" in page
    assert "to the right: wider" not in page


def test_where_there_is_none_a_models_page_says_why_and_the_board_draws_nothing(settings: Settings) -> None:
    row = write_ledger(settings)
    assert row.forecast is not None

    def seen(version: int | None) -> tuple[str, str]:
        made = row.forecast and row.forecast.model_copy(update={"explanation": None, "version": version})
        board = Board(read_at=AT, rows=(row.model_copy(update={"forecast": made}),))
        with asking(FakeService(settings, board), routes.router) as client:
            return client.get("/").text, client.get("/models/META-Open").text

    for version, said in ((None, "no explanation: the naive distribution"), (3, "no explanation on record")):
        board, page = seen(version)
        assert said in page
        assert 'class="factors"' not in board + page


def test_programs_are_given_the_factors(settings: Settings) -> None:
    row = write_ledger(settings)
    service = FakeService(settings, Board(read_at=AT, rows=(row, made_row(3))))
    wanted = {"usual": 0.02, "factors": dict(EXPLANATION.factors), "scale": EXPLANATION.scale}
    with asking(service, forecasts.router) as client:
        newest, *_, oldest = client.get("/api/forecasts/META-Open?size=200").json()["forecasts"]
        assert newest["explanation"] == wanted
        assert oldest["version"] is None
        assert oldest["explanation"] is None
    with asking(service, models.router) as client:
        shown = {found["model"]: found["forecast"]["explanation"] for found in client.get("/api/models").json()["rows"]}
    assert shown == {"META-Open": wanted, "EURUSD=X-Open": None}
