"""A disk that is full or read-only, and a server that has gone silent, are told as such by whatever met them."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
import sqlalchemy as sa
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED, UNAUTHENTICATED

from model.errors import ConfigurationError, TooFewPrices
from tasks.ledger.forecasts import Ledger, RecordedForecast
from tasks.settings import Settings
from tasks.system.disk_errors import FULL, READ_ONLY, Obstacle, folder_fault, obstacle, storage_fault
from tasks.tracking.client import open_tracking
from tests.tasks.ledger.test_forecasts import FORECAST

if TYPE_CHECKING:
    from mlflow import MlflowClient

# What SQLite itself does on a full disk and a read-only one, without either: a limit of pages, no writing at all.
CONDITIONS = {"full": "PRAGMA max_page_count = 1", "read-only": "PRAGMA query_only = 1"}
OBSTACLES = {"full": FULL, "read-only": READ_ONLY}


@contextmanager
def every_database(condition: str) -> Iterator[None]:
    """Open every SQLite database in that condition meanwhile."""

    def open_so(connection: Any, _record: object) -> None:
        connection.execute(CONDITIONS[condition])

    sa.event.listen(sa.Engine, "connect", open_so)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "connect", open_so)


def met(error: BaseException) -> ConfigurationError:
    told = storage_fault(error)
    assert told is not None
    assert told.exit_code == 2
    return told


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_ledger_that_cannot_be_written_says_why_and_holds_what_it_held(tmp_path: Path, condition: str) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.append(FORECAST)
    later = [replace(FORECAST, version=number) for number in range(4, 104)]
    with every_database(condition), pytest.raises(ConfigurationError) as refusal:
        record(ledger, later)
    assert (refusal.value.need, refusal.value.remedy) == (OBSTACLES[condition].need, OBSTACLES[condition].remedy)
    assert ledger.rows()[0] == FORECAST
    record(ledger, later)
    assert ledger.rows() == (FORECAST, *later)
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def record(ledger: Ledger, rows: list[RecordedForecast]) -> None:
    for row in rows:
        ledger.append(row)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_tracking_database_that_cannot_be_written_is_named_without_mlflows_trace(
    tmp_path: Path, template_database: Path, condition: str, capfd: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "mlflow.db"
    database.write_bytes(template_database.read_bytes())
    settings = Settings(home=tmp_path)
    with every_database(condition):
        tracking = open_tracking(settings)
        client = tracking.client
        capfd.readouterr()
        with pytest.raises(Exception, match=r"is full|readonly") as caught:
            fill(client, tracking.experiment_id())
    told = met(caught.value)
    assert told.subject.startswith("tracking database sqlite:///")
    assert OBSTACLES[condition].have in told.have
    assert "MB free in" in told.have
    assert "Traceback" not in capfd.readouterr().err


def fill(client: "MlflowClient", experiment: str) -> None:
    run = client.create_run(experiment)
    for number in range(2000):
        client.set_tag(run.info.run_id, f"tag{number}", "x" * 4000)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_file_that_does_not_fit_is_named(tmp_path: Path) -> None:
    (tmp_path / "prices.parquet").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        os.write(os.open(tmp_path / "prices.parquet", os.O_WRONLY), b"prices")
    assert FULL.have in met(caught.value).have
    caught.value.filename, caught.value.filename2 = "/tmp/made", "/var/kept"  # noqa: S108 - as shutil's copies say
    assert met(caught.value).subject == "file /var/kept"


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.ENOSPC, FULL), (errno.EDQUOT, FULL), (errno.EROFS, READ_ONLY), (errno.EIO, None), (None, None)],
)
def test_the_systems_numbers_are_told_apart(number: int | None, expected: Obstacle | None) -> None:
    assert obstacle(OSError("nothing") if number is None else OSError(number, os.strerror(number))) == expected


def test_a_place_is_named_and_a_full_disk_is_said_as_everywhere() -> None:
    full = folder_fault("price snapshots in /var", OSError(errno.ENOSPC, "No space left on device"))
    assert (full.subject, full.need, full.remedy) == ("price snapshots in /var", FULL.need, FULL.remedy)
    assert full.have.startswith(FULL.have)
    denied = folder_fault("price snapshots in /var", OSError(errno.EACCES, "Permission denied"))
    assert denied.have == "Permission denied"
    assert "TOMORROW_HOME" in denied.remedy


def save() -> None:
    try:
        raise OSError(errno.ENOSPC, "No space left on device")
    except OSError:
        raise RuntimeError("could not save")  # noqa: B904 - as libraries do


def test_what_led_to_an_error_counts() -> None:
    with pytest.raises(RuntimeError) as caught:
        save()
    assert FULL.have in met(caught.value).have


def test_what_is_told_already_or_is_another_fault_stands() -> None:
    told = TooFewPrices("prices", have="1", need="2", remedy="wait")
    told.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert storage_fault(told) is None
    assert storage_fault(ZeroDivisionError("division by zero")) is None


def http_error(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "http://127.0.0.1:4200/api/logs/")
    return httpx.HTTPStatusError("fault", request=request, response=httpx.Response(status, request=request))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (requests.exceptions.RetryError("too many 503 error responses"), "tracking server"),
        (requests.ConnectionError("refused"), "tracking server"),
        (http_error(500), "Prefect's server"),
        (httpx.ConnectError("refused"), "Prefect's server"),
    ],
)
def test_a_server_that_has_gone_silent_is_named_with_its_log(error: Exception, said: str) -> None:
    told = met(error)
    assert told.subject.startswith(said)
    assert "log" in told.remedy


def tracking_answer(status: int) -> requests.HTTPError:
    answer = requests.Response()
    answer.status_code = status
    return requests.HTTPError("403 Client Error: Forbidden for url: http://mlflow/artifacts", response=answer)


@pytest.mark.parametrize(
    "error",
    [
        MlflowException(
            "API request to endpoint /runs/create failed with error code 403", error_code=PERMISSION_DENIED
        ),
        MlflowException("You are not authenticated", error_code=UNAUTHENTICATED),
        tracking_answer(403),
        tracking_answer(401),
    ],
)
def test_whoever_lacks_a_right_on_the_tracking_server_is_told_so(error: Exception) -> None:
    told = met(error)
    assert told.exit_code == 2
    assert told.subject.startswith("tracking server")
    assert "refuses" in told.have
    assert "MLFLOW_TRACKING_USERNAME" in told.remedy


def test_a_server_that_refuses_a_request_of_ours_is_not_blamed() -> None:
    assert storage_fault(http_error(422)) is None
