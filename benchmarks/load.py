"""The daily cycle on an overloaded machine: every command has to end well, however long it takes.

    .venv/bin/python -m benchmarks.load --rounds 10 --busy 8

Beside processes that compute without a pause, each round is one session of the sample market: the commands train,
predict and score, each with the Prefect server that it starts for itself; in the first `--stacks` rounds `tomorrow up`
is started, too, until its catch-up is done, and ended. One state directory serves all rounds. Ends with 1 where a
command did not end well; its words are shown.
"""

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.processes import TOMORROW, told
from model.market.calendar import ExchangeCalendar
from model.market.security import SAMPLE

FIRST = date(2026, 9, 1)
SAMPLE_MARKET = ("--source", "sample")
LONGEST = 3600.0


@contextmanager
def busy(number: int) -> Iterator[None]:
    """Run this many processes that compute without a pause, while the block lasts."""
    processes = [multiprocessing.Process(target=_compute, daemon=True) for _ in range(number)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()


def _compute() -> None:
    while True:
        sum(range(1_000_000))


class Round:
    """The commands of one session: their seconds, and what went wrong."""

    def __init__(self, home: Path, session: date, calendar: ExchangeCalendar) -> None:
        self.seconds: dict[str, float] = {}
        self.faults: list[str] = []
        self._environment = {**os.environ, "TOMORROW_HOME": str(home)}
        self._session, self._next = session, calendar.next_session(session)

    def command(self, name: str, *options: str) -> None:
        """Run one command as of the session."""
        asked = [TOMORROW, name, *SAMPLE_MARKET, "--as-of", str(self._session), *options, "--json"]
        start = time.perf_counter()
        done = subprocess.run(
            asked, env=self._environment, capture_output=True, text=True, check=False, timeout=LONGEST
        )
        self.seconds[name] = time.perf_counter() - start
        if done.returncode or "error" in json.loads(done.stdout or "{}"):
            self.faults.append(f"{name} ended with {done.returncode}:\n{done.stdout}{done.stderr[-3000:]}")

    def stack(self, ports: tuple[int, int, int]) -> None:
        """Start the stack, wait until its catch-up is done, and end it."""
        mlflow, prefect, board = map(str, ports)
        asked = [TOMORROW, "up", *SAMPLE_MARKET, "--mlflow-port", mlflow, "--prefect-port", prefect]
        asked += ["--serving-port", board, "--now"]
        start = time.perf_counter()
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(asked, env=self._environment, stdout=output, stderr=output)
            try:
                ready = self._wait_for_catch_up(process)
            finally:
                process.send_signal(signal.SIGINT)
                code = process.wait(LONGEST)
            output.seek(0)
            if not ready or code:
                self.faults.append(f"up ended with {code}, its catch-up done: {ready}\n{output.read()[-3000:]}")
        self.seconds["up"] = time.perf_counter() - start

    def _wait_for_catch_up(self, process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> bool:
        """Whether the ledger has a forecast of a later session than this round's, before the stack ends by itself."""
        deadline, newest = time.monotonic() + LONGEST, str(self._next)
        while process.poll() is None and time.monotonic() < deadline:
            done = subprocess.run(
                [TOMORROW, "status", "--json"], env=self._environment, capture_output=True, text=True, check=False
            )
            known: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
            if any(found["newest"]["session"] > newest for found in known.get("forecasts", ())):
                return True
            time.sleep(5)
        return False


def main() -> None:
    """Run the rounds, print a line for each and a table of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--busy", type=int, default=8, help="processes that compute beside it")
    parser.add_argument("--stacks", type=int, default=1, help="rounds that start the stack, too")
    arguments = parser.parse_args()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a background job, whose setting its children inherit
        signal.signal(signal.SIGINT, signal.default_int_handler)
    calendar, session = ExchangeCalendar(SAMPLE.exchange, ()), FIRST
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="tomorrow-load-") as folder, busy(arguments.busy):
        for number in range(arguments.rounds):
            session = calendar.next_session(session)
            made = Round(Path(folder, "var"), session, calendar)
            made.command("train", "--preset", "daily")
            made.command("predict")
            made.command("score")
            if number < arguments.stacks:
                made.stack((15000, 14200, 18000))
            rounds.append(made)
            seconds = ", ".join(f"{name} {taken:.0f} s" for name, taken in made.seconds.items())
            print(f"{session}: {'done' if not made.faults else 'NOT DONE'} ({seconds})", flush=True)
            print(*made.faults, sep="\n", flush=True)
    done = sum(not made.faults for made in rounds)
    print(f"{done} of {len(rounds)} rounds done beside {arguments.busy} busy processes on {os.cpu_count()} cores")
    for name in ("train", "predict", "score", "up"):
        if taken := [made.seconds[name] for made in rounds if name in made.seconds]:
            print(f"  {name:8} {told(taken, 0)} s")
    sys.exit(done < len(rounds))


if __name__ == "__main__":
    main()
