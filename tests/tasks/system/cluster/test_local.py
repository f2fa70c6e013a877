"""Real processes of a local cluster: they answer, nobody else reaches them, none outlives the one that started it."""

import functools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from distributed import Client, Future
from distributed.security import Security

from tasks.system.cluster.choose import cluster_for
from tasks.system.cluster.cluster import Cluster
from tasks.system.cluster.local import local_cluster
from tasks.system.cluster.processors import usable_processors
from tasks.system.keras_backend import MEMORY, ONE_THREAD
from tests.project import ROOT

STARTER = """
import sys
from distributed import Client
from tasks.system.cluster.local import local_cluster
from tests.tasks.system.cluster.test_local import write_number

if __name__ == "__main__":
    with local_cluster(2, fits=False) as cluster:
        with Client(cluster.address, security=cluster.security, set_as_default=False) as client:
            client.gather(client.map(write_number, [sys.argv[1] + "/first", sys.argv[1] + "/second"], pure=False))
"""


def double(number: int) -> tuple[int, int]:
    sys.stdout.write("a library that talks\n")
    sys.stdout.flush()
    return 2 * number, os.getpid()


def die_once(file: str) -> int:
    """The process that does this first is killed."""
    try:
        Path(file).touch(exist_ok=False)
    except FileExistsError:
        return os.getpid()
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def write_number(file: str) -> None:
    """Say that the process is at work, and stay there."""
    Path(file).write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(600)


def variables() -> dict[str, str]:
    return dict(os.environ)


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition: Callable[[], object], seconds: float = 120.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def written(file: Path) -> bool:
    return file.is_file() and bool(file.read_text(encoding="utf-8"))


@contextmanager
def one_at_work(folder: Path) -> Iterator[tuple[Cluster, Client, Future[None], int]]:
    """A cluster of one process in the middle of its work, and that process's number."""
    file = folder / "number"
    with (
        local_cluster(1, fits=False) as cluster,
        Client(cluster.address, security=cluster.security, set_as_default=False) as client,
    ):
        working = client.submit(write_number, str(file), pure=False)
        assert wait_until(lambda: written(file))
        yield cluster, client, working, int(file.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_work_is_done_in_other_processes_which_leave_standard_output_alone(
    client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    answers = client.gather(client.map(double, [1, 2, 3, 4, 5], pure=False))
    assert [answer[0] for answer in answers] == [2, 4, 6, 8, 10]
    processes = {answer[1] for answer in answers}
    assert os.getpid() not in processes
    assert len(processes) <= 2
    assert capfd.readouterr().out == ""


@pytest.mark.slow
def test_a_process_keeps_its_freed_memory_and_computes_in_one_thread(client: Client) -> None:
    there = client.submit(variables, pure=False).result()
    assert {name: there.get(name) for name in ONE_THREAD} == ONE_THREAD
    # Dask's own value would count more than what load_backend sets.
    assert [name for name, *_ in MEMORY if there.get(name) != os.environ.get(name)] == []


@pytest.mark.slow
def test_nobody_without_the_clusters_key_gives_it_work(cluster: Cluster) -> None:
    address = cluster.address.removeprefix("tls://")
    assert address.startswith("127.0.0.1:")
    for name, security in ((f"tcp://{address}", None), (f"tls://{address}", Security.temporary())):
        with pytest.raises(OSError, match=r"(?i)connect|certificate"):
            Client(name, security=security, timeout=2, set_as_default=False)


@pytest.mark.slow
@pytest.mark.usefixtures("client")
def test_it_listens_on_this_machine_alone_and_shows_no_pages() -> None:
    this = psutil.Process()
    listening = {
        connection.laddr
        for process in (this, *this.children(recursive=True))
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert {place.ip for place in listening} == {"127.0.0.1"}
    for place in listening:
        with socket.create_connection(place, timeout=10) as asked:
            try:  # who does not know the protocol is cut off at any of these
                asked.sendall(b"GET /info/main/workers.html HTTP/1.0\r\n\r\n")
                asked.shutdown(socket.SHUT_WR)
                said = asked.recv(100)
            except OSError:
                said = b""
        assert b" 200 " not in said


@pytest.mark.slow
def test_the_work_of_a_process_that_is_killed_is_done_by_another(
    cluster: Cluster, client: Client, tmp_path: Path
) -> None:
    before = set(client.run(os.getpid).values())
    works = [client.submit(die_once, str(tmp_path / f"died {number}"), pure=False) for number in range(3)]

    def there() -> int:
        cluster.start()
        return len(client.nthreads())

    assert wait_until(lambda: there() and all(work.done() for work in works))
    assert not {work.result() for work in works} & {0, os.getpid()}
    # And for each that has ended there is another.
    assert wait_until(lambda: there() == 2)
    assert before - set(client.run(os.getpid).values())


@pytest.mark.slow
def test_processes_end_with_the_block_in_the_middle_of_their_work(tmp_path: Path) -> None:
    with one_at_work(tmp_path) as (_, _, working, number):
        assert not working.done()
    assert ended(number)


@pytest.mark.slow
def test_processes_that_were_stopped_are_started_again(tmp_path: Path) -> None:
    with one_at_work(tmp_path) as (cluster, client, working, stopped):
        client.cancel([working], force=True)
        cluster.stop()
        assert ended(stopped)
        cluster.start()
        doubled, other = client.submit(double, 4, pure=False).result()
        assert doubled == 8
        assert other not in (os.getpid(), stopped)


@pytest.mark.slow
def test_processes_end_when_the_one_that_started_them_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "starter.py"
    script.write_text(STARTER, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    files = [tmp_path / "first", tmp_path / "second"]
    with subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment) as starter:
        at_work = wait_until(lambda: all(map(written, files)))
        starter.send_signal(signal.SIGKILL)
        assert at_work
    for file in files:
        assert wait_until(functools.partial(ended, int(file.read_text(encoding="utf-8"))))


@pytest.mark.slow
def test_ctrl_c_is_for_the_process_that_starts_the_others_from_their_first_moment_on() -> None:
    this = psutil.Process()
    before = {child.pid for child in this.children(recursive=True)}
    with (
        local_cluster(2, fits=False) as cluster,
        Client(cluster.address, security=cluster.security, set_as_default=False) as client,
    ):
        answers = client.map(double, [1, 2], pure=False)
        while not all(answer.done() for answer in answers):
            for child in this.children(recursive=True):
                if child.pid not in before:
                    child.send_signal(signal.SIGINT)
            time.sleep(0.02)
        assert [doubled for doubled, _ in client.gather(answers)] == [2, 4]


def test_one_process_is_this_one() -> None:
    with cluster_for(None, 1, fits=True) as cluster:
        assert cluster is None


def test_each_processor_that_may_be_used_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= usable_processors() <= (os.cpu_count() or 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {1, 5}, raising=False)
    assert usable_processors() == 2


def test_a_system_that_cannot_say_which_uses_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert usable_processors() == 7
