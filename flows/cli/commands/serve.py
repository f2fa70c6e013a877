"""`tomorrow serve`: the board and the address for programs, until somebody ends it."""

import os
import sys
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated

from pydantic import ValidationError

from flows.cli.command import command
from flows.cli.configuration import given, prepare
from flows.cli.options import count, flag, option
from flows.cli.result import Answer, CommandResult, say
from model.errors import UsageError

if TYPE_CHECKING:
    from tasks.settings import Settings


class ServeAnswer(Answer):
    """The object of `tomorrow serve --json`: where it listened, and which signal ended it."""

    address: str
    ended_by: str


@command("tomorrow serve --port 8080")
def serve(
    host: Annotated[
        str | None, option("--host", "ADDRESS", "The IP address to listen on (serving.host in mlflow.yaml).")
    ] = None,
    port: Annotated[int | None, count("--port", "The port to listen on (serving.port in mlflow.yaml).")] = None,
    allowed_hosts: Annotated[
        list[str],
        option(
            "--allowed-hosts",
            "NAME,...",
            "Names by which it may be asked for, beside its address, as behind a proxy (serving.allowed_hosts).",
        ),
    ] = [],  # noqa: B006 - typer makes a list of its own
    is_open: Annotated[
        bool, flag("--open", "Let anybody on this machine read it without the key (serving.open).")
    ] = False,
) -> CommandResult:
    """Serve the board and the address for programs; versions that are promoted answer without a restart.

    Ctrl-C ends it. `tomorrow up` serves it, too.
    """
    settings, _ = prepare()
    names = [name.strip() for names in allowed_hosts for name in names.split(",")]
    settings = _with(settings, host=host, port=port, allowed_hosts=names or None, open=is_open or None)
    from flows.runs.clock import now
    from tasks.operations.stack.parts import serving
    from tasks.operations.stack.ports import is_lent, lent, taken
    from tasks.serving.server import serve as run
    from tasks.system.access.guard import COOKIE_SALT
    from tasks.system.access.secret import state_keys

    # Whoever has given it shows the link: the stack, or containers.
    salt = os.environ.get(COOKIE_SALT)
    if salt is not None and is_lent():  # a part of the stack
        with lent() as listening:
            ended_by = run(settings, now, listening, salt)
    else:
        salt, keys = salt or token_hex(16), state_keys(settings)
        part = serving(settings, keys, salt, {}, "--port")
        with taken((part,)) as ports:
            say("\n".join(_places(settings, keys.serving, salt)))
            ended_by = run(settings, now, ports[part.name], salt)
    answer = ServeAnswer(address=settings.serving.address, ended_by=ended_by)
    return CommandResult(answer, f"The board has ended ({ended_by}).")


def _with(settings: "Settings", **options: object) -> "Settings":
    """The settings with the options of the command line in place of the file's; UsageError for a wrong one."""
    try:
        made = {**settings.serving.model_dump(), **given(**options)}
        return settings.model_copy(update={"serving": type(settings.serving).model_validate(made)})
    except ValidationError as error:
        fault = error.errors()[0]
        name = str(fault["loc"][0]).replace("_", "-") if fault["loc"] else "open"
        raise UsageError(
            f"--{name} {fault['input']}",
            have="not possible",
            need=fault["msg"].removeprefix("Value error, "),
            remedy="see docs/serving.md",
        ) from None


def _places(settings: "Settings", key: str, salt: str) -> list[str]:
    """Where it is; the link with its key is shown on a terminal only, so that it gets into no log."""
    from tasks.system.access.guard import page_link

    address = settings.serving.address
    if not sys.stderr.isatty():
        return [f"the board: {address}"]
    return [
        f"the board: {page_link(address, key, salt)}",
        f"for programs: {address}/api, with the bearer token {key}",
        "Ctrl-C ends it",
    ]
