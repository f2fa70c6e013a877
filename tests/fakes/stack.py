"""A stack of parts that are up in a moment: `python -m tests.fakes.stack HOME [fails] [PORT]`, until a signal comes.

Each part starts a child with a session of its own, as servers and workers do, and both wait for ever. With a port there
is one more, which serves it.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from tasks.operations.stack.parts import Part, Stack
from tasks.operations.stack.ports import taken
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


SERVER = """
import select, socket
listening = socket.socket(fileno=0)
listening.setblocking(False)
print("waits", flush=True)
while True:
    select.select([listening], [], [])
    try:
        asked, _ = listening.accept()
    except BlockingIOError:
        continue
    asked.sendall(b"served")
    asked.close()
"""


def part(home: Path, name: str, program: str, port: int | None = None) -> Part:
    """A part that runs a program of Python."""
    log = home / "logs" / f"{name}.log"
    return Part(
        name=name,
        title=f"the {name}",
        command=(sys.executable, "-c", program),
        variables={},
        log=log,
        is_healthy=lambda _: "waits" in log.read_text(),
        host="127.0.0.1" if port else None,
        port=port,
        spares=name == "spares",
    )


def main() -> None:
    """Keep the stack."""
    home, fails = Path(sys.argv[1]), "fails" in sys.argv
    programs = {"serves": "raise SystemExit('no good')" if fails else PROGRAM, "spares": PROGRAM}
    parts = [part(home, name, program) for name, program in programs.items()]
    parts += [part(home, "listens", SERVER, int(word)) for word in sys.argv if word.isdecimal()]
    stack = Stack(
        parts=tuple(parts),
        tracking=Address(""),
        api=PrefectApi("http://127.0.0.1:9/api"),
        variables={},
    )
    settings = Settings(home=home)
    with (
        only_stack(settings),
        taken(parts) as ports,
        Supervisor(settings, stack, lambda: datetime.now(UTC), print, ports) as running,
    ):
        running.start_servers()
        print("up", flush=True)
        running.watch()
    print(f"ended by {running.asked}", flush=True)


if __name__ == "__main__":
    main()
