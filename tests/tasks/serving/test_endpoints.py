"""What programs are answered, of a board in memory and a ledger."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi.testclient import TestClient

from tasks.ledger.forecasts import Ledger
from tasks.serving.board import Board
from tasks.serving.endpoints import forecasts, invocations, problems
from tasks.serving.following.loaded import LoadedVersion
from tasks.settings import Settings
from tasks.tracking.served_model import ServedForecaster
from tests.light import market
from tests.tasks.serving.pages.given import AT, FakeService, asking, made_row, write_ledger


@pytest.fixture
def service(settings: Settings) -> FakeService:
    return FakeService(settings, Board(read_at=AT, rows=(made_row(5),)))


@pytest.fixture
def client(service: FakeService) -> Iterator[TestClient]:
    with asking(service, forecasts.router) as made:
        yield made


@pytest.mark.parametrize(
    ("model", "written"), [("予測 META-Open", "%E4%BA%88%E6%B8%AC%20META-Open"), ("a>b Open", "a%3Eb%20Open")]
)
def test_the_next_page_is_named_whatever_the_model_is_called(
    client: TestClient, service: FakeService, model: str, written: str
) -> None:
    row = write_ledger(service.settings, sessions=12, model=model)
    service.board = Board(read_at=AT, rows=(row.model_copy(update={"model": model}),))
    answer = client.get(f"/api/forecasts/{model}", params={"size": 5})
    assert answer.headers["link"] == f'</api/forecasts/{written}?page=2&size=5>; rel="next"'


@pytest.mark.parametrize(("forecasts_made", "status"), [(0, 200), (3, 503)])
def test_a_ledger_that_is_not_there_is_not_made(
    client: TestClient, service: FakeService, forecasts_made: int, status: int
) -> None:
    service.board = Board(read_at=AT, rows=(made_row(5, forecasts=forecasts_made),))
    assert client.get("/api/forecasts/META-Open").status_code == status
    assert not (service.settings.home / "ledger.db").exists()


class Forecaster:
    """The code within a registered model, before it is given a network."""

    metadata = SimpleNamespace(metadata=None)

    def predict(self, frame: Any, params: Mapping[str, Any]) -> Any:
        return ServedForecaster().predict(None, frame, dict(params))


@pytest.mark.parametrize(("digits", "sentence"), [(400, "too large"), (5000, "too many digits")])
def test_a_number_that_no_price_can_be_is_the_fault_of_who_sent_it(digits: int, sentence: str) -> None:
    loaded = LoadedVersion("META-Open", 1, "r", cast("Any", Forecaster()), ())
    body = f'{{"inputs": {{"Open": [{"9" * digits}, 1]}}}}'.encode()
    with pytest.raises(problems.Problem, match=sentence) as refused:
        invocations._answer(loaded, body, "application/json")
    assert refused.value.status == 400


def test_an_answer_names_the_series_without_which_it_is_made() -> None:
    inner = Forecaster()
    inner.metadata = SimpleNamespace(metadata={"series": [{"name": "^VIX", "transformations": ["level"]}]})
    loaded = LoadedVersion("META-Open", 1, "r", cast("Any", inner), ())
    frame = market().frame().iloc[-600:].reset_index()
    newest_first = frame.iloc[::-1]
    assert loaded.without(frame) == ("^VIX",)
    assert loaded.without(frame.assign(**{"^vix": 18.8})) == ()
    lacking = frame.assign(**{"^VIX": [*[18.8] * 599, math.nan]})
    assert loaded.without(lacking) == loaded.without(lacking.iloc[::-1]) == ("^VIX",)
    assert loaded.without(newest_first.assign(**{"^VIX": [*[18.8] * 599, math.nan]})) == ()
    assert loaded.without(frame.assign(**{"^VIX": [*[18.8] * 599, -1.0]})) == ("^VIX",)
    # The mean of its level over 250 sessions cannot be made from fewer than half of them.
    assert loaded.without(frame.iloc[-60:].assign(**{"^VIX": 18.8})) == ("^VIX",)
    assert LoadedVersion("META-Open", 1, "r", cast("Any", Forecaster()), ()).without(frame) == ()


def test_the_forecasts_of_a_later_session_are_asked_for_by_how_far_ahead_it_is(
    client: TestClient, service: FakeService
) -> None:
    row = write_ledger(service.settings, sessions=12)
    service.board = Board(read_at=AT, rows=(row,))
    before = client.get("/api/forecasts/META-Open").json()
    ledger = Ledger(service.settings.ledger_uri)
    for made in ledger.rows("META-Open")[:3]:
        further = replace(made, horizon=5, session=made.session + timedelta(days=7), observed=None, observed_at=None)
        ledger.append(further)
    assert client.get("/api/forecasts/META-Open").json() == before
    assert (before["total"], before["horizon"]) == (12, 1)
    answer = client.get("/api/forecasts/META-Open", params={"horizon": 5, "size": 2})
    page = answer.json()
    assert (page["total"], page["horizon"]) == (3, 5)
    assert [each["horizon"] for each in page["forecasts"]] == [5, 5]
    assert page["forecasts"][0]["session"] > page["forecasts"][1]["session"]
    assert answer.headers["link"] == '</api/forecasts/META-Open?page=2&size=2&horizon=5>; rel="next"'
    lines = client.get("/api/forecasts/META-Open?horizon=5&format=csv").text.splitlines()
    assert (len(lines), lines[0].rpartition(",")[2], lines[1].rpartition(",")[2]) == (4, "horizon", "5")
    assert client.get("/api/forecasts/META-Open?horizon=21").json()["forecasts"] == []
    assert client.get("/api/forecasts/META-Open?horizon=22").status_code == 422
