"""The console command `tomorrow`: parses, calls flows, prints, sets the exit code."""

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Sequence

from flows.cli.address_space import check_address_space
from flows.cli.parser import parse
from flows.cli.working_directory import leave_working_directory
from model.errors import TomorrowError, UsageError, masked, printable
from tasks.system.cluster.garbage import collect_rarely

INTERRUPTED = 130  # what a shell expects after Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; without arguments that of this process, which leaves its folder.

    Standard output carries the answer alone: one JSON object with --json, else text. Everything else that a library
    or a flow prints goes to standard error.
    """
    _open_closed_streams()
    collect_rarely()
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    try:
        _check_text(arguments)
        call = parse(arguments)
        if isinstance(call, int):
            return call
        check_address_space(arguments[0])
        if argv is None:
            leave_working_directory()
        with contextlib.redirect_stdout(sys.stderr):
            result = call()
    except TomorrowError as error:
        if error.exit_code == TomorrowError.exit_code:
            _trace(error)
        return _fail(error, as_json)
    except KeyboardInterrupt:
        print("tomorrow: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence: a fault of ours, described in a line
        return _fail(_described(error), as_json)
    from flows.cli.result import rendered

    lost = _write(result.answer.as_json() if as_json else rendered(result.text, terminal=sys.stdout.isatty()))
    return result.exit_code if lost is None else _complain(lost)


def _check_text(arguments: Sequence[str]) -> None:
    """Refuse bytes that are no UTF-8: neither Prefect nor MLflow can keep them."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UsageError(
                f"argument {argument!r}", have="bytes that are not UTF-8 text", need="UTF-8", remedy="type it again"
            ) from None


def _open_closed_streams() -> None:
    """Open closed standard streams to the null device.

    Otherwise text meant for one would be printed with the answer, and the next file that is opened would get the
    stream's number, and with it what libraries write to the stream.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is the stream's
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115


def _write(text: str) -> TomorrowError | None:
    """Print the answer; the error to show if it cannot be written, although the command's work is done."""
    try:
        print(text, flush=True)
    except OSError as error:
        # Python would try once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader has ended
            return None
        return UsageError(
            "the answer on standard output",
            have=error.strerror or str(error),
            need="a place that it can be written to",
            remedy="the command is done and nothing is lost; to see the answer, run it again with its output elsewhere",
        )
    return None


def _fail(error: TomorrowError, as_json: bool) -> int:
    if as_json and _write(json.dumps({"error": error.as_json()}, indent=2, default=str)) is None:
        return error.exit_code
    return _complain(error)


def _complain(error: TomorrowError) -> int:
    text = printable(str(error), keep="\n")
    with contextlib.suppress(OSError):  # a full log does not change the exit code
        print(f"tomorrow: {text}", file=sys.stderr, flush=True)
    return error.exit_code


def _trace(error: Exception) -> None:
    """Show where a fault of ours was raised, if TOMORROW_DEBUG is set."""
    if os.environ.get("TOMORROW_DEBUG"):
        print(masked("".join(traceback.format_exception(error))), file=sys.stderr)


def _described(error: Exception) -> TomorrowError:
    """Any other error as one of ours: a full disk, or a fault of ours."""
    from tasks.system.disk_errors import fault_of_ours, storage_fault

    _trace(error)
    stopped = storage_fault(error)
    if stopped is not None:
        return stopped
    return fault_of_ours(error)


if __name__ == "__main__":
    sys.exit(main())
