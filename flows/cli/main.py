"""The console command `tomorrow`: parses, calls flows, prints, sets the exit code."""

import atexit
import contextlib
import gc
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from flows.cli.parser import parse
from model.errors import TomorrowError, UsageError

if TYPE_CHECKING:
    from argparse import Namespace

    from flows.cli.result import Answer

Command = Callable[["Namespace"], "Answer"]
INTERRUPTED = 130  # what a shell expects after Ctrl-C
# New objects before Python looks for cycles among them. At its own 700 a forecast spends a quarter of its time looking
# through what Prefect, MLflow and pandas have just loaded, none of which will ever go, most of it when it ends.
UNTIL_COLLECTED = 500_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Standard output carries the answer alone: one JSON object with --json, else text. Everything else that a library
    or a flow prints goes to standard error.
    """
    gc.set_threshold(UNTIL_COLLECTED, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)  # and none of it is looked through once more when the process ends
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    try:
        options = parse(arguments)
        with contextlib.redirect_stdout(sys.stderr):
            answer = _command(options.command)(options)
    except TomorrowError as error:
        return _fail(error, as_json)
    except KeyboardInterrupt:
        print("tomorrow: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence: a fault of ours, told in a line
        return _fail(_told(error), as_json)
    lost = _write(json.dumps(answer.data, indent=2, default=str) if as_json else answer.text)
    return answer.exit_code if lost is None else _complain(lost)


def _write(text: str) -> TomorrowError | None:
    """Print what is asked for; the error to tell where it cannot be written, though what it tells of is done."""
    try:
        print(text, flush=True)
    except OSError as error:
        # Python would try once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever read it has seen enough
            return None
        return UsageError(
            "the answer on standard output",
            have=error.strerror or str(error),
            need="a place that it can be written to",
            remedy="nothing is lost: what the command did is done, and the same again, written elsewhere, tells it",
        )
    return None


def _command(name: str) -> Command:
    """The command's function; its module is imported only now, since most of them load Prefect."""
    from flows.cli import all_commands as commands

    command: Command = getattr(commands, name)
    return command


def _fail(error: TomorrowError, as_json: bool) -> int:
    if as_json and _write(json.dumps({"error": error.as_json()}, indent=2, default=str)) is None:
        return error.exit_code
    return _complain(error)


def _complain(error: TomorrowError) -> int:
    with contextlib.suppress(OSError):  # a log that is full is no reason to end otherwise
        print(f"tomorrow: {error}", file=sys.stderr, flush=True)
    return error.exit_code


def _told(error: Exception) -> TomorrowError:
    """What to tell of an error that nobody has put into words: a disk that is full, or a fault of ours."""
    from tasks.system.disk_errors import storage_fault

    if os.environ.get("TOMORROW_DEBUG"):
        traceback.print_exception(error)
    stopped = storage_fault(error)
    if stopped is not None:
        return stopped
    where = traceback.extract_tb(error.__traceback__)
    place = f" ({os.path.basename(where[-1].filename)}:{where[-1].lineno})" if where else ""
    return TomorrowError(
        "a fault of ours",
        have=f"{type(error).__name__}: {error}{place}",
        need="no such thing",
        remedy="run it again with TOMORROW_DEBUG=1 for the whole trace, and report it with that",
    )


if __name__ == "__main__":
    sys.exit(main())
