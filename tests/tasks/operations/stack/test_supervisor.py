"""The supervisor: parts that die are started again, and none outlives it, however it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from model.errors import ConfigurationError
from tasks.operations.stack.log import cut_log, newest_lines
from tasks.operations.stack.orphans import mark_of, marked
from tasks.operations.stack.process import pause_before
from tasks.settings import Settings
from tasks.system import durations
from tasks.system.access.stack_state import StackState, only_stack, read_stack
from tests.servers import free_port

PATIENCE = 60


def test_pauses_grow_to_a_minute_and_no_further() -> None:
    assert [pause_before(start) for start in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pause_before(1000) == durations.LONGEST_PAUSE


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def processes(home: Path, part: str | None = None) -> tuple[int, ...]:
    return marked(mark_of(home), part)


def start(home: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.stack", str(home), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "var"
    folder.mkdir()
    return folder


@pytest.fixture
def stack(home: Path) -> Iterator["subprocess.Popen[str]"]:
    """A running stack of two parts, each with a child of its own."""
    running = start(home)
    try:
        assert running.stdout is not None
        assert "up\n" in iter(running.stdout.readline, "")
        wait_until(lambda: len(processes(home)) == 4)
        yield running
    finally:
        running.kill()
        running.communicate()
        wait_until(lambda: not processes(home))


def state(home: Path) -> StackState:
    found = read_stack(Settings(home=home))
    assert found is not None
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_ends_every_process(number: signal.Signals, home: Path, stack: "subprocess.Popen[str]") -> None:
    stack.send_signal(number)
    said, _ = stack.communicate(timeout=PATIENCE)
    assert stack.returncode == 0
    # When its terminal goes, there is nobody to say it to.
    assert ("ended by" in said) == (number != signal.SIGHUP)
    assert processes(home) == ()
    assert read_stack(Settings(home=home)) is None


def test_a_supervisor_that_is_killed_leaves_no_process_behind(home: Path, stack: "subprocess.Popen[str]") -> None:
    stack.kill()
    wait_until(lambda: not processes(home))
    assert read_stack(Settings(home=home)) is None


def test_another_stack_ends_what_is_left_of_one_that_was_killed_with_its_watchdog(
    home: Path, stack: "subprocess.Popen[str]"
) -> None:
    children = {child.pid for child in psutil.Process(stack.pid).children()}
    parts = {part.pid for part in state(home).parts}
    for watchdog in children - parts:
        os.kill(stack.pid, signal.SIGSTOP)
        os.kill(watchdog, signal.SIGKILL)
    stack.kill()
    assert len(processes(home)) == 4
    again = start(home)
    assert again.stdout is not None
    said = "".join(line for line in iter(again.stdout.readline, "up\n"))
    assert "ended 4 processes" in said
    again.send_signal(signal.SIGTERM)
    again.communicate(timeout=PATIENCE)
    assert processes(home) == ()


def test_a_part_that_is_killed_is_started_again_and_it_is_said(home: Path, stack: "subprocess.Popen[str]") -> None:
    before = state(home).part("serves")
    old = processes(home, "serves")
    assert before is not None
    assert before.pid in old
    os.kill(before.pid, signal.SIGKILL)
    wait_until(lambda: (now := state(home).part("serves")) and now.pid not in (None, before.pid))
    wait_until(lambda: len(processes(home, "serves")) == 2)
    assert not set(old) & set(processes(home, "serves")), "its child would hold its port"
    after = state(home).part("serves")
    assert after is not None
    assert after.restarts == 1
    stack.terminate()
    said, _ = stack.communicate(timeout=PATIENCE)
    assert "the serves ended with signal SIGKILL; it is started again in 1 s" in said
    assert "the serves is started again" in (home / "logs" / "up.log").read_text()


def test_a_port_stays_the_stacks_while_its_server_is_away_and_nobody_waits_in_vain(home: Path) -> None:
    """Another user of the machine, who asks for the port all the time, would be sent the keys of whoever asks next."""
    port = free_port()

    def ask() -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as asks:
                return asks.recv(100)
        except ConnectionError:
            return b""

    running = start(home, str(port))
    try:
        assert running.stdout is not None
        assert "up\n" in iter(running.stdout.readline, "")
        assert ask() == b"served"
        for _ in range(3):  # the pause before each start is longer
            before = state(home).part("listens")
            assert before is not None
            os.kill(before.pid or 0, signal.SIGKILL)
            wait_until(lambda: (now := state(home).part("listens")) and now.condition == "waiting")
            assert _cannot_bind(port)
            assert ask() == b""
            while (now := state(home).part("listens")) and now.condition != "healthy":
                assert _cannot_bind(port)
            wait_until(lambda: ask() == b"served")
    finally:
        running.terminate()
        running.communicate(timeout=PATIENCE)
    assert not _cannot_bind(port)


def _cannot_bind(port: int) -> bool:
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            stranger.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def test_what_a_worker_has_started_outlives_it_but_not_the_stack(home: Path, stack: "subprocess.Popen[str]") -> None:
    before = state(home).part("spares")
    assert before is not None
    child = set(processes(home, "spares")) - {before.pid}
    os.kill(before.pid or 0, signal.SIGKILL)
    wait_until(lambda: (now := state(home).part("spares")) and now.pid not in (None, before.pid))
    assert child < set(processes(home, "spares"))
    stack.terminate()
    stack.communicate(timeout=PATIENCE)
    assert processes(home) == ()


@pytest.mark.slow
def test_a_part_that_cannot_start_ends_the_stack_with_its_log(home: Path) -> None:
    failed = start(home, "fails")
    said, _ = failed.communicate(timeout=PATIENCE)
    assert failed.returncode == 1
    assert "ended 3 times while it started" in said
    assert "no good" in said
    assert processes(home) == ()


def test_a_second_stack_on_a_state_directory_is_refused(home: Path, stack: "subprocess.Popen[str]") -> None:
    with pytest.raises(ConfigurationError, match=f"as process {stack.pid}"):
        only_stack(Settings(home=home))


def test_a_large_log_is_put_aside_and_written_on_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 10)
        cut_log(log, largest=20)
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "part.log.1").read_bytes() == b"old\n" * 10
    assert newest_lines(log) == ["new"]
