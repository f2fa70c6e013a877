"""What can be wrong with a store that speaks S3, as a user of `tomorrow prices` is told it."""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from flows.cli.main import main
from model.errors import ConfigurationError
from tasks.prices.snapshots import SnapshotStore
from tasks.prices.store import s3 as under_test
from tasks.prices.store.place import write_whole
from tasks.prices.store.s3 import S3Place
from tasks.system import durations
from tests.facebook import AFTER_CLOSE
from tests.light import market
from tests.s3 import BUCKET, READER, S3Server, key
from tests.servers import free_port
from tests.tasks.prices.store.conftest import sharing

pytestmark = pytest.mark.servers


@pytest.fixture
def named(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The place that commands of this process use."""
    monkeypatch.setenv("TOMORROW_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("TOMORROW_PRICES__STORE", bucket)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tmp_path)
    return bucket


def refusal(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command says that ends with exit code 2, and without a trace or a fault of ours."""
    capfd.readouterr()
    assert main(("prices", *arguments)) == 2
    captured = capfd.readouterr()
    text = captured.out + captured.err
    assert "Traceback" not in text
    assert "fault of ours" not in text
    assert "geheim" not in text
    return text


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "geheim-wrong"}, "it refuses: The request signature we calculated does not match"),
        ({"AWS_ACCESS_KEY_ID": "stranger"}, "it refuses: The access key ID you provided does not exist"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "it refuses: Unable to locate credentials"),
        ({"TOMORROW_PRICES__STORE": "s3://no-such-bucket/prices"}, "there is no bucket no-such-bucket"),
        ({"AWS_ENDPOINT_URL_S3": "127.0.0.1:8333"}, "it does not answer as it should: Invalid endpoint"),
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:{free}"}, "Could not connect to the endpoint URL"),
        ({"AWS_ENDPOINT_URL_S3": "http://me:geheim@{host}"}, "Cannot combine AUTHORIZATION header with"),
        ({"AWS_ENDPOINT_URL_S3": "https://{host}"}, "it does not answer as it should: SSL validation failed"),
    ],
    ids=["wrong key", "unknown user", "no key", "no bucket", "no address", "nobody there", "a password", "no TLS"],
)
def test_a_store_that_cannot_be_used_says_why_and_what_to_do(
    spoilt: dict[str, str],
    message: str,
    named: str,
    s3: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name, text in spoilt.items():
        monkeypatch.setenv(name, text.format(free=free_port(), host=urlsplit(s3.endpoint).netloc))
    text = refusal(capfd)
    assert message in text
    assert f"the store of prices at {spoilt.get('TOMORROW_PRICES__STORE', named)}/prices" in text
    assert "AWS_" in text.partition("to do:")[2]


def test_no_bucket_is_made_for_a_name_that_was_mistyped(
    named: str, s3: S3Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOMORROW_PRICES__STORE", named.replace(BUCKET, "tomorow"))
    assert "there is no bucket tomorow" in refusal(capfd, "--fetch")
    assert [bucket["Name"] for bucket in s3.client().list_buckets()["Buckets"]] == [BUCKET]


def test_one_who_may_only_read_is_told_so_before_anything_is_kept(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: S3Server
) -> None:
    settings = sharing(tmp_path / "var", bucket)
    SnapshotStore(settings).store(market(), at=AFTER_CLOSE)
    before = s3.names(bucket)
    for name, text in READER.items():
        monkeypatch.setenv(name, text)
    longer = market().until(market().day(-2))
    assert len(SnapshotStore(settings).fetches("META")) == 1
    with pytest.raises(ConfigurationError, match=r"it refuses: Access Denied\."):
        SnapshotStore(settings).store(longer, at=AFTER_CLOSE)
    assert s3.names(bucket) == before


@contextmanager
def silent_server() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_store_that_takes_the_question_and_stays_silent_is_given_up(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durations, "ANSWER_OF_STORE", 0.3)
    with silent_server() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        with pytest.raises(ConfigurationError, match="it does not answer as it should: Read timeout"):
            S3Place.at(bucket).read_bytes()


def test_what_breaks_off_while_it_is_sent_is_not_there(bucket: str, s3: S3Server) -> None:
    """So a killed process leaves nothing half-written."""
    whole, torn = S3Place.at(bucket) / "whole", S3Place.at(bucket) / "torn"
    for place, sent in ((whole, 2000), (torn, 1000)):
        name = {"Bucket": BUCKET, "Key": key(str(place))}
        address = urlsplit(s3.client().generate_presigned_url("put_object", name))
        with socket.create_connection((address.hostname, address.port)) as connection:
            head = (
                f"PUT {address.path}?{address.query} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 2000\r\n\r\n"
            )
            connection.sendall(head.encode() + b"x" * sent)
            if sent == 2000:
                assert b" 200 " in connection.recv(100)
    assert whole.read_bytes() == b"x" * 2000
    assert not torn.exists()
    assert s3.names(bucket) == ["whole"]


def test_what_cannot_be_made_here_is_not_blamed_on_the_store_and_leaves_nothing_there(
    bucket: str, s3: S3Server
) -> None:
    def fail(file: Path) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left on device"):
        write_whole(S3Place.at(bucket) / "file", fail)
    assert s3.names(bucket) == []


def test_without_the_packages_a_user_is_told_which(
    named: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert named
    under_test._file_system.cache_clear()
    monkeypatch.setitem(sys.modules, "s3fs", None)
    text = refusal(capfd)
    assert "the packages that it needs are not installed" in text
    assert "install tomorrow[s3]; in a checkout: .venv/bin/pip install -e '.[s3]'" in text


def test_a_process_uses_the_credentials_that_it_has_now(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of a cluster is given those of one command after those of another; its threads share them."""
    place = S3Place.at(bucket) / "file"
    place.write_bytes(b"x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim-other")
    with pytest.raises(ConfigurationError, match="it refuses"):
        place.read_bytes()


def test_threads_may_ask_at_the_same_time(bucket: str) -> None:
    places = [S3Place.at(bucket) / str(number) for number in range(20)]
    threads = [threading.Thread(target=place.write_bytes, args=(place.name.encode(),)) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [place.read_bytes() for place in places] == [place.name.encode() for place in places]
    assert sorted(S3Place.at(bucket).entries()) == sorted((place.name, False) for place in places)
