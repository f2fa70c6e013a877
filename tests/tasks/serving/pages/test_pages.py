"""The pages as they are sent: escaped, without anything inline, cheap to ask for again, and quick with 500 models."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from tasks.ledger.forecasts import Ledger
from tasks.registry.stage_history import StageHistory
from tasks.serving.board import Board
from tasks.serving.following.refresh import BoardReader
from tasks.serving.pages import routes
from tasks.settings import Settings
from tests.tasks.forecasts.recorded import distributed, forecast
from tests.tasks.serving.pages.given import (
    AT,
    FakeService,
    asking,
    made_board,
    made_row,
    stage_change,
    with_cone,
    write_ledger,
)


@pytest.fixture
def service(settings: Settings) -> FakeService:
    return FakeService(settings, made_board(500))


@pytest.fixture
def client(service: FakeService) -> Iterator[TestClient]:
    with asking(service, routes.router) as made:
        yield made


def test_a_page_of_500_models_takes_less_than_a_second(client: TestClient) -> None:
    assert client.get("/").status_code == 200
    begun = time.thread_time(), time.perf_counter()
    page = client.get("/?page=7&order=skill").text
    assert time.perf_counter() - begun[1] < 1
    assert page.count('role="rowheader"') == 50
    assert "301 to 350 of 500 models" in page


def test_nothing_stands_inline_and_nothing_of_another_host(client: TestClient, service: FakeService) -> None:
    row = write_ledger(service.settings)
    service.board = made_board(12).model_copy(update={"rows": (row,)})
    for path in ("/", "/models/META-Open", "/models/NOBODY"):
        page = client.get(path).text
        assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
        assert re.findall(r"<style|\sstyle=|\son\w+=", page) == []
        loaded = re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"([^\"]+)\"", page)
        assert loaded
        assert [address for address in loaded if not address.startswith("/static/")] == []


def test_texts_of_others_are_escaped(client: TestClient, service: FakeService) -> None:
    evil = "<script>alert(1)</script>"
    write_ledger(service.settings, sessions=12)
    row = made_row(5, name=evil, alarms=(evil,), promoted_by=evil)
    service.board = Board(read_at=service.board.read_at, rows=(row,), faults={"ledger": evil})
    for path in ("/", f"/?text={evil}", "/models/META-Open"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page


def test_a_series_that_the_newest_forecast_lacks_is_told_and_its_name_is_escaped(
    client: TestClient, service: FakeService
) -> None:
    Ledger(service.settings.ledger_uri).append(replace(distributed(forecast(57)), without="<b>mood</b>"))
    service.board = BoardReader(service.settings).read(AT, 0.0, {"TEST-Open": None}, {}, {})
    for path in ("/", "/models/TEST-Open"):
        page = client.get(path).text
        assert "The newest forecast was made without &lt;b&gt;mood&lt;/b&gt;: not known when it was made." in page
        assert "<b>mood" not in page


def test_an_unchanged_page_is_not_sent_again(client: TestClient, service: FakeService) -> None:
    first = client.get("/")
    known = {"If-None-Match": first.headers["etag"]}
    assert client.get("/", headers=known).status_code == 304
    rows = (made_row(0, version=13), *service.board.rows[1:])
    service.board = service.board.model_copy(update={"rows": rows})
    assert client.get("/", headers=known).status_code == 200


def test_unknown_choices_count_as_not_made(client: TestClient) -> None:
    plain = client.get("/").text
    assert client.get("/?verdict=good&stage=x&order=y&page=-3").text == plain
    assert client.get("/?page=%C2%B2").text == plain


def test_an_unknown_model_is_not_found_and_says_so(client: TestClient) -> None:
    answer = client.get("/models/NOBODY-Open")
    assert answer.status_code == 404
    assert "There is no model" in answer.text


def test_until_the_registry_is_read_the_page_says_so_and_comes_back(client: TestClient, service: FakeService) -> None:
    service.board = Board()
    page = client.get("/").text
    assert "The server is starting" in page
    assert 'http-equiv="refresh"' in page
    assert client.get("/models/META-Open").status_code == 200


def test_no_model_yet_says_what_makes_one(client: TestClient, service: FakeService) -> None:
    service.board = made_board(0)
    assert "tomorrow train" in client.get("/").text


def test_a_ledger_that_cannot_be_read_is_said_in_a_sentence(client: TestClient, service: FakeService) -> None:
    write_ledger(service.settings, sessions=12)
    file = service.settings.ledger_uri.file
    assert file is not None
    file.write_bytes(b"no database" * 1000)
    service.board = made_board(12)
    answer = client.get("/models/META-Open")
    assert answer.status_code == 503
    assert "It cannot be read now" in answer.text


def test_files_are_kept_for_good_by_their_digest_and_are_sent_compressed(client: TestClient) -> None:
    page = client.get("/").text
    (address,) = re.findall(r"href=\"(/static/board\.css[^\"]*)\"", page)
    answer = client.get(address)
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" not in client.get("/static/board.css").headers["cache-control"]
    assert client.get("/static/routes.py").status_code == 404


def test_the_script_of_the_charts_comes_from_the_installed_package(client: TestClient) -> None:
    assert "plotly.js v" in client.get("/static/plotly.js").text[:200]


def test_what_was_read_at_the_same_minute_of_another_day_is_read_anew(client: TestClient, service: FakeService) -> None:
    row = write_ledger(service.settings, sessions=12)
    service.board = Board(read_at=AT, rows=(row,))
    assert "an afterthought" not in client.get("/models/META-Open").text
    noted = replace(stage_change(4, 0), move="move 5", reasons=("INFO an afterthought.",))
    StageHistory(service.settings.ledger_uri).append([noted])
    service.board = Board(read_at=AT + timedelta(days=1), rows=(row,))
    assert "an afterthought" in client.get("/models/META-Open").text


@pytest.mark.parametrize(
    ("count", "words"), [(300, "all forecasts as CSV"), (1300, "the newest 1,000 forecasts as CSV")]
)
def test_the_link_to_the_forecasts_as_csv_gives_what_it_says(
    client: TestClient, service: FakeService, count: int, words: str
) -> None:
    row = write_ledger(service.settings, sessions=12).model_copy(update={"forecasts": count})
    service.board = Board(read_at=AT, rows=(row,))
    page = client.get("/models/META-Open").text
    (address,) = re.findall(r'href="(/api/forecasts/[^"]*)"', page)
    assert address == "/api/forecasts/META-Open?format=csv&amp;size=1000"
    assert words.lower() in page.lower()


def test_a_model_whose_place_is_not_known_says_so(client: TestClient, service: FakeService) -> None:
    write_ledger(service.settings, sessions=12)
    row = made_row(5, stage="unknown", version=None, verdict="not judged")
    service.board = Board(read_at=AT, rows=(row,))
    for path in ("/", "/models/META-Open"):
        page = client.get(path).text
        assert "which version is in Production is not known" in page
        assert "version None" not in page


def test_later_sessions_are_shown_on_the_board_and_on_the_models_page_and_nowhere_where_there_are_none(
    client: TestClient, service: FakeService
) -> None:
    row = write_ledger(service.settings, sessions=12)
    service.board = Board(read_at=AT, rows=(row,))
    for path in ("/", "/models/META-Open"):
        assert 'class="cone"' not in client.get(path).text
    assert "Further ahead" not in client.get("/models/META-Open").text
    service.board = Board(read_at=AT, rows=(with_cone(row),))
    page = client.get("/").text
    assert page.count('<svg class="cone"') == 1
    assert "5 and 21 sessions ahead" in page
    assert page.count('<li class="stand-in">21 sessions ahead, Mon 2026-12-28') == 1
    assert "no skill, so the naive distribution" in page
    page = client.get("/models/META-Open").text
    assert "Further ahead" in page
    assert page.count('<tr class="stand-in"><th scope="row">21</th>') == 1
    assert "/api/forecasts/META-Open?format=csv&amp;size=1000&amp;horizon=5" in page


def test_rows_of_later_sessions_change_nothing_that_a_models_page_says_of_the_next_one(
    client: TestClient, service: FakeService
) -> None:
    service.board = Board(read_at=AT, rows=(write_ledger(service.settings, sessions=12),))
    before = client.get("/models/META-Open").text
    drawn = client.get("/models/META-Open/charts.json").json()
    ledger = Ledger(service.settings.ledger_uri)
    for made in ledger.rows("META-Open"):
        further = replace(made, horizon=5, session=made.session + timedelta(days=7), observed=None, observed_at=None)
        ledger.append(further)
        ledger.fill_in([(further, 1.0)], at=AT)
    routes._kept_record.cache_clear()
    assert client.get("/models/META-Open").text == before
    assert client.get("/models/META-Open/charts.json").json() == drawn
