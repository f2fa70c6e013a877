"""The command line: its commands, each loaded when it is asked for, and our own errors in place of typer's."""

import pkgutil
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from model.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from flows.cli.result import CommandResult

DESCRIPTION = "Forecasts a stock's next trading day and proves whether the forecast is worth having."
EXIT_CODES = """\b
Exit codes:
  0 done (also a training whose version the gate refused)
  1 a fault of ours: please report it
  2 a wrong option or setting, or a database that cannot be used
  3 prices that cannot be used or fetched
  4 the gate refused the promotion
  5 nothing is in Production

`tomorrow COMMAND --help` explains a command with an example."""

# In which file of flows/cli/commands each command is, and what it does in a line.
COMMANDS = {
    "train": ("train", "Fetch prices, train, evaluate, register, and ask the gate."),
    "catchup": ("catchup", "Train and forecast as of each session that was missed."),
    "backtest": (
        "configurations.backtest",
        "Walk-forward backtest: train and forecast at past dates, and compare with naive forecasts.",
    ),
    "presets": ("configurations.presets", "Show the presets, what each is and what it costs."),
    "tune": ("configurations.tune", "Look for a better preset, on sessions before those of a proof alone."),
    "promote": ("promote", "Move a version to a stage, through the gate."),
    "approve": ("promote", "Let a version that waits for a person go to Production."),
    "reject": ("promote", "Keep a version that waits for a person out of Production."),
    "rollback": ("promote", "Give Production back to the version that was there before."),
    "history": ("record.history", "Show which version was in which stage when, by whose decision and why."),
    "figures": ("record.figures", "Draw the figures of a training that was one of several securities'."),
    "predict": ("predict", "Forecast the next session with the version in Production."),
    "score": ("score", "Fill in the actual prices, score the forecasts, and request retraining where it is due."),
    "forecasts": ("record.forecasts", "List the forecasts in the ledger, the actual prices and the scores."),
    "report": ("record.report", "Write the board of the day as a file, and mail it."),
    "prices": ("prices", "Show which prices are stored and how fresh they are, or fetch them."),
    "up": ("up", "Start the servers and a worker with the schedules, and keep them running."),
    "serve": ("serve", "Serve the board, and forecasts over HTTP; it follows what is promoted."),
    "status": ("status", "Show what runs, what is next, and how prices and forecasts are."),
    "clean": ("clean", "Remove old versions, runs, prices and logs that nothing refers to."),
}
# Typer's words for a mistake, and ours.
WORDS = (
    (r"Missing command", "no command is given"),
    (r"No such command ", "unknown command "),
    (r"No such option:? ", "unknown option "),
    (r"Missing (argument|option) '(\S+?)'.*", r"\2 is missing"),
    (r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", r"\1: an argument too many"),
    (r"Option '(\S+?)' requires an argument", r"\1 needs a value"),
    (r"Option '(\S+?)' does not take a value", r"\1 takes no value"),
    (r"Invalid value for '(\S+?)': ", r"\1: "),
)
SETTINGS = {"help_option_names": ["-h", "--help"]}

Call = Callable[[], "CommandResult"]


class LateCommand(TyperCommand):
    """A command whose file is imported when it is used, so that no other command waits for its imports."""

    def __init__(self, name: str, place: str, summary: str) -> None:
        super().__init__(name, short_help=summary)
        self.place = place

    def make_context(self, *given: Any, **extra: Any) -> Any:
        """The context of the command itself."""
        command: TyperCommand = pkgutil.resolve_name(self.place)
        return command.make_context(*given, **extra)


def parse(arguments: Sequence[str]) -> Call | int:
    """The call of a command, or the exit code if nothing is left to do, as after --help; UsageError if wrong."""
    try:
        return parser().main(list(arguments), prog_name="tomorrow", standalone_mode=False)  # type: ignore[no-any-return]
    except typer.TyperException as error:
        raise _wrong_use(error) from None


def parser() -> TyperGroup:
    """The whole command line."""
    app = typer.Typer(
        help=DESCRIPTION,
        epilog=EXIT_CODES,
        context_settings=SETTINGS,
        rich_markup_mode=None,
        subcommand_metavar="COMMAND ...",
    )
    app.callback()(_top)
    group = get_command(app)
    assert isinstance(group, TyperGroup)  # noqa: S101 - what typer makes of an application with a callback
    for name, (file, summary) in COMMANDS.items():
        group.add_command(LateCommand(name, f"flows.cli.commands.{file}:{name}", summary))
    return group


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"tomorrow {version('tomorrow')}")
        raise typer.Exit


def _top(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def _wrong_use(error: typer.TyperException) -> UsageError:
    """Typer's error in our words, with the name that was probably meant."""
    context: typer.Context | None = getattr(error, "ctx", None)
    program = context.command_path if context else "tomorrow"
    named, near = getattr(error, "option_name", None), getattr(error, "possibilities", None)
    if near is not None:
        # Dashes, which all options begin with, would make each of them look near.
        likely = {name.lstrip("-"): name for name in near}
        wrong = named or re.sub(r".*'(.*)'.*", r"\1", error.message)
        message = error.message.removesuffix(".") + did_you_mean(wrong.lstrip("-"), likely, likely)
    else:
        message = error.format_message().removesuffix(".")
    for theirs, ours in WORDS:
        message = re.sub(f"^{theirs}", ours, message)
    return UsageError(
        f"`{program}`", have=message, need=_needed(error, context), remedy=_remedy(error.message, program, context)
    )


def _needed(error: typer.TyperException, context: "typer.Context | None") -> str:
    """The value that the wrong option needs, or how the whole command is written."""
    if context is None or isinstance(context.command, TyperGroup):
        return f"one of {', '.join(COMMANDS)}"
    named = getattr(error, "option_name", None)
    wrong = getattr(error, "param", None) or next((part for part in context.command.params if named in part.opts), None)
    if isinstance(wrong, TyperOption):
        value = "" if wrong.is_flag else f" {wrong.metavar or 'VALUE'}"
        return f"{wrong.opts[0]}{value}: {wrong.help}".removesuffix(".")
    arguments = [f" {(part.name or '').upper()}" for part in context.command.params if isinstance(part, TyperArgument)]
    return f"`{context.command_path}{''.join(arguments)}`, and options after it"


def _remedy(message: str, program: str, context: "typer.Context | None") -> str:
    """For a ticker without its option, that option; else where the help is."""
    extra = re.fullmatch(r"Got unexpected extra arguments?(?:\(s\))? \(([A-Z0-9.^=&_-]+)\)\.?", message)
    if extra and context and any("--ticker" in part.opts for part in context.command.params):
        return f"name a security with --ticker: {program} --ticker {extra[1]}"
    return f"see `{program} --help`"
