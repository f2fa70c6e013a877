"""The address of MLflow's pages that a person is shown."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tasks.operations.stack.mlflow_pages import runs_page


class MlflowApi(BaseHTTPRequestHandler):
    """Knows one experiment, and answers as MLflow does for any other."""

    def do_GET(self) -> None:
        """Answer the question for an experiment."""
        known = self.path == "/api/2.0/mlflow/experiments/get-by-name?experiment_name=my+own"
        viewed = self.path.endswith("experiment_name=with+a+view")
        tags = {"tags": [{"key": "mlflow.sharedViewState.tomorrow", "value": "{}"}]} if viewed else {}
        known = known or viewed
        answer = {"experiment": {"experiment_id": "7", **tags}} if known else {"error_code": "RESOURCE_DOES_NOT_EXIST"}
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), MlflowApi) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_experiments_runs_are_named_and_the_list_of_experiments_while_there_is_none(address: str) -> None:
    assert runs_page(address, "my own") == f"{address}/#/experiments/7/runs?workflowType=machine_learning"
    own_view = "workflowType=machine_learning&viewStateShareKey=tomorrow"
    assert runs_page(address, "with a view") == f"{address}/#/experiments/7/runs?{own_view}"
    assert runs_page(address, "another") == f"{address}/#/experiments?workflowType=machine_learning"


def test_a_server_that_does_not_answer_is_named_all_the_same() -> None:
    assert runs_page("http://127.0.0.1:9", "mine") == "http://127.0.0.1:9/#/experiments?workflowType=machine_learning"
