"""`tomorrow serve`: versions answer while they are promoted; what it says to wrong requests, and to whom it answers."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.cli.main import main
from model.evaluation.decision import DecisionWord
from tasks.registry.registry import Registry
from tasks.registry.ruling import Ruling
from tasks.serving.access import HOOK
from tasks.serving.endpoints.invocations import parse, predictions
from tasks.serving.following.loaded import load_with_example
from tasks.settings import read_settings
from tasks.system.access.guard import page_link
from tasks.system.access.secret import state_keys
from tasks.tracking.client import open_tracking
from tests.conftest import process_as_it_was
from tests.flows.conftest import MARKET, Made, copy_home
from tests.servers import free_port, serving

pytestmark = pytest.mark.servers

MODEL = "SAMPLE-Open"
ASK = f"/api/models/{MODEL}/invocations"
PATIENCE = 120
SALT = "that of a container, where another process shows the link"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


@dataclass(frozen=True)
class Served:
    """A server that runs, on a state directory with two versions.

    body:     what both can forecast from; expected: what each of them then answers
    registry: by which versions are moved, through the MLflow server that reports it
    """

    home: Path
    address: str
    key: str
    body: dict[str, Any]
    expected: dict[int, Any]
    registry: Registry

    def client(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.address, headers=headers, timeout=PATIENCE, trust_env=False)

    @property
    def known(self) -> httpx.Client:
        return self.client(Authorization=f"Bearer {self.key}")

    def promote(self, version: int) -> None:
        move(self.registry, version)


def move(registry: Registry, version: int) -> None:
    at = datetime.now(UTC)
    ruling = Ruling(decision=DecisionWord.FORCED, reasons=("a test",), at=at, by="somebody", forced="a test")
    registry.move(MODEL, version, "Production", ruling)


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory: pytest.TempPathFactory, two_once: Made) -> Path:
    """A state directory in which version 1 is in Production and has forecast; version 2 differs from it."""
    home = tmp_path_factory.mktemp("two") / "var"
    copy_home(two_once.home, home)
    home.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch, process_as_it_was():
        patch.setenv("TOMORROW_HOME", str(home))
        move(Registry(open_tracking(read_settings())), 1)
        assert main(("predict", *MARKET)) == 0
    return home


@pytest.fixture(scope="module")
def served(two_versions: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server and an MLflow server. It looks once an hour, so that all it notices was reported by MLflow."""
    folder, port, own = tmp_path_factory.mktemp("served"), free_port(), free_port()
    home = folder / "var"
    copy_home(two_versions, home)
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--no-serve-artifacts"]
    command += ["--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--default-artifact-root", str(home / "files")]
    allowed = {"MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true"}
    uri, address = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{own}"
    variables = {"TOMORROW_HOME": str(home), "MLFLOW_TRACKING_URI": uri, "TOMORROW_SERVING__LOOK_SECONDS": "3600"}
    with (
        pytest.MonkeyPatch.context() as patch,
        serving(command, f"{uri}/health", folder, MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false", **allowed),
        serving(["tomorrow", "serve", "--port", str(own)], f"{address}/health", folder, **variables, TOMORROW_RUN=SALT),
    ):
        for name, value in variables.items():
            patch.setenv(name, value)
        settings = read_settings()
        registry = Registry(open_tracking(settings))
        loaded = {number: load_with_example(settings, registry.version(MODEL, number)) for number in (1, 2)}
        table = json.loads(loaded[1][1].to_json(orient="split", date_format="iso", index=False))
        body = {"dataframe_split": table}
        frame, _ = parse(json.dumps(body).encode(), "application/json")
        expected = {number: predictions(version, frame, {}) for number, (version, _) in loaded.items()}
        assert expected[1] != expected[2]
        made = Served(home, address, state_keys(settings).serving, body, expected, registry)
        with made.known as client:
            wait_for(lambda: client.get("/health").json()["answering"] == 1)
        yield made


def wait_for(is_so: Any, patience: float = PATIENCE) -> float:
    """Wait until something is so; the seconds that this took."""
    begun = time.monotonic()
    while not is_so():
        assert time.monotonic() - begun < patience, "it did not happen"
        time.sleep(0.1)
    return time.monotonic() - begun


def test_its_link_can_be_shown_by_who_has_given_it_the_salt(served: Served) -> None:
    with served.client() as browser:
        assert browser.get("/").status_code == 401
        assert browser.get(page_link(served.address, served.key, "another")).status_code == 401
        assert browser.get(page_link(served.address, served.key, SALT)).status_code == 303
        assert browser.get("/").status_code == 200


def test_no_request_is_lost_while_versions_are_promoted_and_each_answer_is_of_one(served: Served) -> None:
    answers: list[httpx.Response] = []
    ended = threading.Event()

    def ask() -> None:
        with served.known as client:
            while not ended.wait(0.03) and len(answers) < 3000:
                answers.append(client.post(ASK, json=served.body))

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        for version in (2, 1, 2):
            served.promote(version)
            wait_for(lambda version=version: answers and answers[-1].json()["version"] == version)
        ended.set()
        for one in asking:
            one.result()
    assert {answer.status_code for answer in answers} == {200}
    wrong = [made for answer in answers if served.expected[(made := answer.json())["version"]] != made["predictions"]]
    assert wrong == []
    assert {answer.headers["X-Tomorrow-Version"] for answer in answers} == {"1", "2"}


def test_the_board_names_the_version_and_its_forecast(served: Served) -> None:
    with served.known as client:
        (row,) = client.get("/api/models", params={"ticker": "sample", "verdict": "undecided"}).json()["rows"]
        assert client.get(f"/api/models/{MODEL}").json() == row
        assert client.get("/api/models", params={"stage": "None"}).json()["rows"] == []
        assert client.get("/api/models", params={"page": 2}).json() == {"rows": [], "page": 2, "size": 50, "total": 1}
    assert (row["stage"], row["trained_as_of"], row["promoted_by"]) == ("Production", "2013-06-28", "somebody")
    assert (row["forecast"]["session"], row["forecast"]["version"], row["forecasts"]) == ("2013-07-01", 1, 1)
    lower, upper = row["forecast"]["ranges"]["95"]
    assert lower < row["forecast"]["median"] < upper
    assert set(row["forecast"]["naive_ranges"]) == {"80", "95"}
    assert row["alarms"] == ["The newest forecast was made after its session had opened, so it does not count."]


@pytest.mark.skipif(not Path(CHROMIUM).is_file(), reason="no Chromium here: CHROMIUM names none")
def test_a_promotion_shows_on_an_open_page_within_ten_seconds(served: Served) -> None:
    from playwright.sync_api import sync_playwright

    with served.known as client, sync_playwright() as playwright:
        (row,) = client.get("/api/models").json()["rows"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(extra_http_headers={"Authorization": f"Bearer {served.key}"})
        page.goto(served.address)
        shown = page.locator(f"[data-name='{MODEL}']")
        shown.get_by_text(f"version {row['version']}", exact=True).wait_for()
        other = 3 - row["version"]
        served.promote(other)
        shown.get_by_text(f"version {other}", exact=True).wait_for(timeout=10_000)
        browser.close()


SPLIT = {"columns": ["Open", "High", "Low", "Close", "Volume"], "data": [[1, 1, 1, 1, 1]]}
WRONG: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "an unknown model": ("POST", "/api/models/X-Open/invocations", {"json": {}}, 404, "no model 'X-Open'"),
    "an unknown page": ("GET", "/api/nothing", {}, 404, "nothing at /api/nothing"),
    "an unknown method": ("DELETE", ASK, {}, 405, "does not take DELETE"),
    "no JSON": ("POST", ASK, {"content": "{", "headers": {"Content-Type": "application/json"}}, 400, "is not JSON"),
    "no object": ("POST", ASK, {"json": [1]}, 400, "a JSON object"),
    "no prices": ("POST", ASK, {"json": {"rows": []}}, 400, "it has 'rows'"),
    "no names": ("POST", ASK, {"json": {"instances": [[1, 2]]}}, 400, "has to name its columns"),
    "too few prices": ("POST", ASK, {"json": {"dataframe_split": SPLIT}}, 400, "at least 5 sessions are needed"),
    "a ragged table": ("POST", ASK, {"json": {"dataframe_split": {**SPLIT, "data": [[1]]}}}, 400, "dataframe_split"),
    "text for a price": ("POST", ASK, {"json": {"dataframe_records": [{"Open": "x"}] * 9}}, 400, "no number"),
    "a wrong parameter": ("POST", ASK, {"json": {"inputs": {"Open": [1]}, "params": {"n": 1}}}, 400, "no 'n'"),
    "another format": ("POST", ASK, {"content": "<a>", "headers": {"Content-Type": "text/xml"}}, 415, "text/csv"),
    "too much": ("POST", ASK, {"content": b" " * 8_000_001}, 413, "larger than 8,000,000 bytes"),
    "a page too large": ("GET", "/api/models?size=501", {}, 422, "size: "),
    "an unknown verdict": ("GET", "/api/models?verdict=good", {}, 422, "verdict: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_gets_one_sentence_and_a_status_that_fits(served: Served, case: str) -> None:
    method, path, how, status, part = WRONG[case]
    with served.known as client:
        answer = client.request(method, path, **how)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    message = answer.json()["error"]["message"]
    assert part in message
    assert "\n" not in message
    assert "Traceback" not in message


@pytest.mark.parametrize("form", ["dataframe_split", "dataframe_records", "instances", "inputs", "csv"])
def test_prices_are_taken_in_each_of_mlflows_forms(served: Served, form: str) -> None:
    frame, _ = parse(json.dumps(served.body).encode(), "application/json")
    forms: dict[str, dict[str, Any]] = {
        "dataframe_split": {"json": served.body},
        "csv": {"content": frame.to_csv(index=False), "headers": {"Content-Type": "text/csv"}},
        "inputs": {"json": {"inputs": frame.to_dict("list")}},
    }
    how = forms.get(form, {"json": {form: frame.to_dict("records")}})
    with served.known as client:
        answer = client.post(ASK, **how).json()
    (made,), (expected,) = answer["predictions"], served.expected[answer["version"]]
    assert made == pytest.approx(expected, rel=1e-9)  # pandas may read a price from CSV differently in its last bit


def test_the_forecasts_as_csv_are_those_of_the_command(served: Served, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tomorrow", "forecasts", MODEL, "--csv", str(tmp_path / "all.csv")],
        env={**os.environ, "TOMORROW_HOME": str(served.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with served.known as client:
        by_header = client.get(f"/api/forecasts/{MODEL}", headers={"Accept": "text/csv"})
        by_name = client.get(f"/api/forecasts/{MODEL}?format=csv")
        as_json = client.get(f"/api/forecasts/{MODEL}", headers={"Accept": "application/json, text/csv"}).json()
    assert by_header.text == by_name.text == (tmp_path / "all.csv").read_text()
    assert [found["session"] for found in as_json["forecasts"]] == ["2013-07-01"]
    assert as_json["total"] == 1


def test_nobody_without_the_key_is_answered(served: Served) -> None:
    paths = ("/", "/docs", "/openapi.json", "/metrics", "/api/models", f"/api/forecasts/{MODEL}")
    with served.client() as client:
        assert {path: client.get(path).status_code for path in paths} == dict.fromkeys(paths, 401)
        assert client.post(ASK, json=served.body).status_code == 401
        assert client.post(HOOK, content=b"{}").status_code == 401
        assert set(client.get("/health").json()) >= {"status", "models"}
    with served.client(Authorization="Bearer wrong") as client:
        assert client.get("/api/models").json()["error"]["kind"] == "KeyNeeded"


def test_requests_for_another_host_and_from_another_page_are_refused(served: Served) -> None:
    with served.known as client:
        assert client.get("/api/models", headers={"Host": "elsewhere.example"}).status_code == 403
        assert client.get("/api/models", headers={"Origin": "http://elsewhere.example"}).status_code == 403
        headers = client.get("/docs").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")


def test_the_page_of_the_interface_asks_no_other_host(served: Served) -> None:
    with served.known as client:
        page, described = client.get("/docs").text, client.get("/openapi.json").json()
    assert set(re.findall(r"(?:src|href)=\"([^\"#]+)\"", page)) == {"/openapi.json", "/metrics"}
    for path in described["paths"]:
        assert path in page


def test_prometheus_is_told_the_version_and_the_requests(served: Served) -> None:
    with served.known as client:
        (version,) = {row["version"] for row in client.get("/api/models").json()["rows"]}
        client.get("/a-path-that-nobody-serves")
        said = client.get("/metrics").text
    assert f'tomorrow_version_in_production{{model="{MODEL}"}} {version}.0' in said
    assert re.search(r'tomorrow_requests_total{method="GET",route="/api/models",status="200"} [1-9]', said)
    assert re.search(r'tomorrow_requests_total{method="GET",route="other",status="404"} [1-9]', said)
    assert "nobody-serves" not in said


@contextmanager
def app_of(home: Path) -> Iterator[tuple[httpx.Client, Any]]:
    """The application in this process, without a guard, on a state directory with MLflow's database in it."""
    import uvicorn

    from tasks.serving.app import create_app

    settings = read_settings({"TOMORROW_HOME": str(home), "TOMORROW_SERVING__LOOK_SECONDS": "0.5"})
    app = create_app(settings, lambda: datetime(2013, 7, 1, 12, tzinfo=UTC))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False) as client:
            wait_for(lambda: client.get("/health").json()["answering"] == 1)
            yield client, Registry(open_tracking(settings))
    finally:
        server.should_exit = True
        thread.join()


def alarm(client: httpx.Client) -> str:
    """The first alarm on the board's only row."""
    (row,) = client.get("/api/models").json()["rows"]
    return str(row["alarms"][0])


@pytest.fixture
def home_of_two(two_versions: Path, home: Path) -> Path:
    """A state directory of the test's own with both versions."""
    copy_home(two_versions, home)
    return home


def test_a_version_that_does_not_load_leaves_the_old_one_answering(home_of_two: Path, body: dict[str, Any]) -> None:
    with app_of(home_of_two) as (client, registry):
        source = registry.version(MODEL, 2).source.removeprefix("models:/")
        (stored,) = home_of_two.rglob(f"{source}/**/served_model.py")
        stored.write_text("raise SystemExit('this code was run')", encoding="utf-8")
        move(registry, 2)
        wait_for(lambda: "served_model.py is not as it was written" in alarm(client))
        (row,) = client.get("/api/models").json()["rows"]
        assert (row["version"], row["answering"]) == (2, 1)
        assert client.get("/health").json()["status"] == "degraded"
        assert client.post(ASK, json=body).json()["version"] == 1
        assert 'tomorrow_loads{outcome="failed"} 1.0' in client.get("/metrics").text
        move(registry, 1)
        wait_for(lambda: client.get("/health").json()["status"] == "ok")


def test_a_version_that_was_not_registered_here_is_never_loaded(home_of_two: Path, body: dict[str, Any]) -> None:
    with app_of(home_of_two) as (client, registry):
        mlflow = open_tracking(read_settings({"TOMORROW_HOME": str(home_of_two)})).client
        theirs = mlflow.create_model_version(
            MODEL, registry.version(MODEL, 2).source, registry.version(MODEL, 2).run_id
        )
        mlflow.set_registered_model_alias(MODEL, "production", theirs.version)
        wait_for(lambda: "was not registered by this program here" in alarm(client))
        assert client.post(ASK, json=body).json()["version"] == 1


def test_what_is_known_goes_on_answering_without_mlflow(home_of_two: Path, body: dict[str, Any]) -> None:
    with app_of(home_of_two) as (client, _):
        (home_of_two / "mlflow.db").write_bytes(b"no database " * 1000)
        wait_for(lambda: client.get("/health").json()["status"] == "degraded")
        assert client.post(ASK, json=body).json()["version"] == 1
        assert client.get("/api/models").json()["rows"][0]["version"] == 1


def test_nothing_in_production_is_a_conflict(home_of_two: Path, body: dict[str, Any]) -> None:
    with app_of(home_of_two) as (client, registry):
        at = datetime.now(UTC)
        ruling = Ruling(decision=DecisionWord.MOVED, reasons=("a test",), at=at, by="somebody")
        registry.move(MODEL, 1, "Archived", ruling)
        wait_for(lambda: client.get("/health").json()["answering"] == 0)
        answer = client.post(ASK, json=body)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (409, "NothingInProduction")
        # The board is read a moment after the version has ceased to answer.
        wait_for(lambda: client.get("/api/models").json()["rows"][0]["stage"] != "Production")
        (row,) = client.get("/api/models").json()["rows"]
        assert (row["stage"], row["verdict"], row["version"]) == ("None", "naive", None)


@pytest.fixture
def body() -> dict[str, Any]:
    """What every version of the sample market can forecast from."""
    days = [f"2013-06-{day:02}" for day in range(3, 15)]
    return {"inputs": {"Date": days, **{name: [36.0] * len(days) for name in ("Open", "High", "Low", "Close")}}}
