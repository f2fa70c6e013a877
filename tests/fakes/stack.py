"""A stack of parts that are up in a moment: `python -m tests.fakes.stack HOME [fails]` keeps it until a signal comes.

Each part starts a child with a session of its own, as servers and workers do, and both wait for ever.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from tasks.operations.stack.parts import Part, Stack
from tasks.operations.stack.prefect_api import PrefectApi
from tasks.operations.stack.supervisor import Supervisor
from tasks.settings import Address, Settings
from tasks.system.access.stack_state import only_stack

WAIT = "import time; time.sleep(600)"
PROGRAM = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {WAIT!r}], start_new_session=True)
print("waits", flush=True)
time.sleep(600)
"""


def part(home: Path, name: str, program: str) -> Part:
    """A part that runs a program of Python."""
    log = home / "logs" / f"{name}.log"
    return Part(
        name=name,
        title=f"the {name}",
        command=(sys.executable, "-c", program),
        variables={},
        log=log,
        is_healthy=lambda _: "waits" in log.read_text(),
        spares=name == "spares",
    )


def main() -> None:
    """Keep the stack."""
    home, fails = Path(sys.argv[1]), "fails" in sys.argv
    programs = {"serves": "raise SystemExit('no good')" if fails else PROGRAM, "spares": PROGRAM}
    stack = Stack(
        parts=tuple(part(home, name, program) for name, program in programs.items()),
        tracking=Address(""),
        api=PrefectApi("http://127.0.0.1:9/api"),
        variables={},
    )
    settings = Settings(home=home)
    with only_stack(settings), Supervisor(settings, stack, lambda: datetime.now(UTC), print) as running:
        running.start_servers()
        print("up", flush=True)
        running.watch()
    print(f"ended by {running.asked}", flush=True)


if __name__ == "__main__":
    main()
