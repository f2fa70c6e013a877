"""How a function becomes a command: its parameters are the options, those of a group of options one by one."""

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from itertools import pairwise
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand, TyperOption
from typer.main import get_command

from flows.cli.parser import SETTINGS, Call
from flows.cli.result import CommandResult

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object, for other programs.")]


class Command(TyperCommand):
    """A command of ours: typer parses its options, and the main program calls it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse; where an option stands in place of another one's value, the value was forgotten."""
        valued = {
            name
            for option in self.params
            if isinstance(option, TyperOption) and not option.is_flag
            for name in option.opts
        }
        for name, value in pairwise(args):
            if name in valued and value.startswith("--") and not ctx.resilient_parsing:
                ctx.fail(f"Option {name!r} requires a value; one that begins with -- is given as {name}={value}")
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            if getattr(error, "ctx", ctx) is None:  # so that the error names the command
                error.ctx = ctx  # type: ignore[attr-defined]
            raise

    def invoke(self, ctx: Any) -> Call:
        """Return the call in place of making it."""
        return functools.partial(super().invoke, ctx)


def command(example: str) -> Callable[[Callable[..., CommandResult]], TyperCommand]:
    """Make a function a command: its docstring is the help, with a line that shows its use. Each has --json."""

    def build(function: Callable[..., CommandResult]) -> TyperCommand:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(cls=Command, epilog=f"\b\nExample:\n  {example}", context_settings=SETTINGS)(_flat(function))
        made = get_command(app)
        assert isinstance(made, TyperCommand)  # noqa: S101 - what typer makes of an application with one command
        return made

    return build


def _flat(function: Callable[..., CommandResult]) -> Callable[..., CommandResult]:
    """The function with the fields of its groups of options, which are dataclasses, in place of the groups."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind) and name != "return"}

    @functools.wraps(function)
    def flat(**options: Any) -> CommandResult:
        del options["as_json"]  # the code that prints the result reads it from the arguments, since the parser may fail
        made = {
            name: kind(**{field.name: options.pop(field.name) for field in fields(kind)})
            for name, kind in groups.items()
        }
        return function(**made, **options)

    def parameters() -> Iterator[inspect.Parameter]:
        for name, parameter in inspect.signature(function).parameters.items():
            if name in groups:
                extras = get_type_hints(groups[name], include_extras=True)
                for field in fields(groups[name]):
                    default = field.default if field.default_factory is MISSING else field.default_factory()
                    yield inspect.Parameter(
                        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=extras[field.name]
                    )
            else:
                yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])
        yield inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)

    flat.__signature__ = inspect.Signature(list(parameters()))  # type: ignore[attr-defined]
    return flat
