"""The console command `tomorrow`: parses, calls flows, prints, sets the exit code."""

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from flows.arguments import parse
from model.errors import TomorrowError

if TYPE_CHECKING:
    from argparse import Namespace

    from flows.answer import Answer

Command = Callable[["Namespace"], "Answer"]
INTERRUPTED = 130  # what a shell expects after Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Standard output carries the answer alone: one JSON object with --json, else text. Everything else that a library
    or a flow prints goes to standard error.
    """
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
        return _fail(_fault_of_ours(error), as_json)
    print(json.dumps(answer.data, indent=2, default=str) if as_json else answer.text)
    return answer.exit_code


def _command(name: str) -> Command:
    """The command's function; its module is imported only now, since most of them load Prefect."""
    from flows import commands

    command: Command = getattr(commands, name)
    return command


def _fail(error: TomorrowError, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"error": error.as_json()}, indent=2, default=str))
    else:
        print(f"tomorrow: {error}", file=sys.stderr)
    return error.exit_code


def _fault_of_ours(error: Exception) -> TomorrowError:
    if os.environ.get("TOMORROW_DEBUG"):
        traceback.print_exception(error)
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
