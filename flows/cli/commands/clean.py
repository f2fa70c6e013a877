"""What `tomorrow clean` answers: the JSON object, and the same for people."""

from flows.clean import CleanReport

NAMES = {"archive": "version ", "version": "version ", "run": "run "}


def clean_json(report: CleanReport) -> dict[str, object]:
    """The JSON object."""
    return {
        "dry_run": report.dry_run,
        "refuse": [{"kind": thing.kind, "name": thing.name, "bytes": thing.size} for thing in report.refuse],
    }


def clean_text(report: CleanReport) -> str:
    """The same for people."""
    done = {"archive": "to be archived" if report.dry_run else "archived"}
    other = "to be removed" if report.dry_run else "removed"
    lines = [f"{done.get(thing.kind, other)}: {NAMES.get(thing.kind, '')}{thing.name}" for thing in report.refuse]
    size = sum(thing.size for thing in report.refuse) / 1e6
    summary = f"{len(lines)} things, {size:.1f} MB in files" if lines else "Nothing is old and without use."
    if any(thing.kind == "run" for thing in report.refuse) and not report.dry_run:
        summary += "; runs are deleted as in MLflow's pages, and take room until mlflow gc"
    return "\n".join([*lines, summary])
