"""Real processes: they answer, they fail loudly, and none outlives the one that started it."""

import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from model.errors import TomorrowError, TooFewPrices
from tasks.system.process_pool import Workers
from tests.project import ROOT

pytestmark = pytest.mark.slow

STARTER = """
import sys, time
from tasks.system.process_pool import Workers
from tests.tasks.system.test_process_pool import double, nothing, write_number

if __name__ == "__main__":
    with Workers(2, write_number, nothing) as workers:
        for _ in workers.run([sys.argv[1] + "/first", sys.argv[1] + "/second"]):
            pass
"""


def nothing() -> None:
    """There is nothing to prepare."""


def double(number: int) -> tuple[int, int]:
    sys.stdout.write("a library that talks\n")
    sys.stdout.flush()
    return 2 * number, os.getpid()


def fail(number: int) -> int:
    if number == 2:
        raise TooFewPrices("prices of TEST", have="1 session", need="2", remedy="wait a day")
    return number


def sleep_or_answer(seconds: float) -> float:
    if seconds < 0:
        raise TooFewPrices("prices of TEST", have="1 session", need="2", remedy="wait a day")
    time.sleep(seconds)
    return seconds


def break_down(number: int) -> int:
    return number // 0


def die(_number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def cannot_prepare() -> None:
    raise TomorrowError("a library", have="none", need="one", remedy="install it")


def write_number(file: str) -> None:
    """Say that the process is at work, and stay there."""
    Path(file).write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(600)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ended(pid: int) -> bool:
    return not alive(pid)


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_every_assignment_is_answered_once_in_other_processes(capfd: pytest.CaptureFixture[str]) -> None:
    begun: list[int] = []
    with Workers(2, double, nothing) as workers:
        answers = dict(workers.run([1, 2, 3, 4, 5], started=begun.append))
    assert {number: answer[0] for number, answer in answers.items()} == {1: 2, 2: 4, 3: 6, 4: 8, 5: 10}
    processes = {answer[1] for answer in answers.values()}
    assert os.getpid() not in processes
    assert len(processes) <= 2
    assert begun == [1, 2, 3, 4, 5]
    captured = capfd.readouterr()
    assert (captured.out, "a library that talks" in captured.err) == ("", True)


def test_no_more_is_begun_than_there_are_processes() -> None:
    begun: list[int] = []
    with Workers(1, double, nothing) as workers:
        counts = [len(begun) for _ in workers.run([1, 2, 3], started=begun.append)]
    # The next is handed out before the answer is looked at, so that no process waits.
    assert counts == [2, 3, 3]


def test_what_a_user_can_cause_comes_back_as_it_is() -> None:
    with Workers(1, fail, nothing) as workers, pytest.raises(TooFewPrices, match="1 session") as caught:
        list(workers.run([1, 2, 3]))
    assert caught.value.remedy == "wait a day"


def test_after_a_failure_the_processes_answer_what_they_are_asked_next() -> None:
    with Workers(2, sleep_or_answer, nothing) as workers:
        with pytest.raises(TooFewPrices):
            list(workers.run([0.5, -1.0]))
        assert sorted(answer for _, answer in workers.run([0.0, 0.25])) == [0.0, 0.25]


def test_a_fault_of_ours_is_told_with_its_trace(capfd: pytest.CaptureFixture[str]) -> None:
    with Workers(1, break_down, nothing) as workers, pytest.raises(TomorrowError, match="ZeroDivisionError"):
        list(workers.run([1]))
    assert "in break_down" in capfd.readouterr().err


def test_what_cannot_be_prepared_is_told() -> None:
    with Workers(1, double, cannot_prepare) as workers, pytest.raises(TomorrowError, match="install it"):
        list(workers.run([1]))


def test_a_process_that_is_killed_is_noticed() -> None:
    with Workers(1, die, nothing) as workers, pytest.raises(TomorrowError, match="SIGKILL"):
        list(workers.run([1]))


def test_processes_end_with_the_block_in_the_middle_of_their_work(tmp_path: Path) -> None:
    file = tmp_path / "number"
    with Workers(1, write_number, nothing) as workers:

        def leave_when_it_works(_: str) -> None:
            assert wait_until(lambda: file.is_file() and file.read_text(encoding="utf-8"))
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            list(workers.run([str(file)], started=leave_when_it_works))
    assert ended(int(file.read_text(encoding="utf-8")))


@pytest.mark.slow
def test_processes_end_when_the_one_that_started_them_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "starter.py"
    script.write_text(STARTER, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    files = [tmp_path / "first", tmp_path / "second"]
    with subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment) as starter:
        at_work = wait_until(lambda: all(file.is_file() and file.read_text(encoding="utf-8") for file in files))
        starter.send_signal(signal.SIGKILL)
        assert at_work
    for file in files:
        process = int(file.read_text(encoding="utf-8"))
        assert wait_until(functools.partial(ended, process))


def test_ctrl_c_is_for_the_process_that_starts_the_others_from_their_first_moment_on() -> None:
    with Workers(2, double, nothing) as workers:
        for _ in range(200):
            for process in multiprocessing.active_children():
                assert process.pid is not None
                os.kill(process.pid, signal.SIGINT)
            time.sleep(0.005)
        answers = dict(workers.run([1, 2]))
    assert {number: doubled for number, (doubled, _) in answers.items()} == {1: 2, 2: 4}
