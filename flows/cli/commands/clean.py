"""`tomorrow clean`: its options, its call, its JSON and its text."""

from typing import TYPE_CHECKING, Annotated

from flows.cli.command import command
from flows.cli.configuration import prepare
from flows.cli.options import flag, number, option
from flows.cli.result import Answer, CommandResult, of
from model.errors import UsageError

if TYPE_CHECKING:
    from flows.clean import CleanReport

NAMES = {"archive": "version ", "version": "version ", "run": "run "}


class Thing(Answer):
    """One thing that is removed; the size in bytes is that of its files."""

    kind: str
    name: str
    bytes: int = of("size")


class CleanAnswer(Answer):
    """The object of `tomorrow clean --json`."""

    dry_run: bool
    refuse: tuple[Thing, ...]
    notes: tuple[str, ...]


@command("tomorrow clean --dry-run")
def clean(
    older_than: Annotated[
        int | None,
        option(
            "--older-than", "DAYS", "Use this age for everything, instead of the ages in mlflow.yaml.", parser=number
        ),
    ] = None,
    dry_run: Annotated[bool, flag("--dry-run", "Only list what would be removed.")] = False,
) -> CommandResult:
    """Remove old versions, runs, prices and logs that nothing refers to."""
    from tasks.settings import MOST_DAYS

    if older_than is not None and not 0 <= older_than <= MOST_DAYS:
        need = f"days, 0 or more and {MOST_DAYS} at most"
        raise UsageError("--older-than", have=str(older_than), need=need, remedy="correct it")
    prepare()
    from tasks.system.prefect_server import orchestrated

    with orchestrated():
        from flows.clean import clean as flow

        report = flow(older_than=older_than, dry_run=dry_run)
    return CommandResult(CleanAnswer.model_validate(report), _text(report))


def _text(report: "CleanReport") -> str:
    done = {"archive": "to be archived" if report.dry_run else "archived"}
    other = "to be removed" if report.dry_run else "removed"
    lines = [f"{done.get(thing.kind, other)}: {NAMES.get(thing.kind, '')}{thing.name}" for thing in report.refuse]
    size = sum(thing.size for thing in report.refuse) / 1e6
    summary = f"{len(lines)} things, {size:.1f} MB in files" if lines else "Nothing is both old and unused."
    if any(thing.kind == "run" for thing in report.refuse) and not report.dry_run:
        summary += "; runs are only marked as deleted, as in MLflow's pages: `mlflow gc` frees their space"
    return "\n".join([*(f"note: {note}" for note in report.notes), *lines, summary])
