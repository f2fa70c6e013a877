"""`tomorrow report`: the board of the day as a file, and as a mail. It needs neither Prefect nor a server."""

from datetime import date
from typing import TYPE_CHECKING, Annotated

from flows.cli.command import command
from flows.cli.configuration import prepare
from flows.cli.options import flag
from flows.cli.result import Answer, CommandResult

if TYPE_CHECKING:
    from tasks.serving.report.write import DayReport


class ReportAnswer(Answer):
    """The object of `tomorrow report --json`.

    day:    whose report it is, by the time in New York
    file:   the report
    url:    where MLflow shows it; null where MLflow could not be reached
    models: how many there are; `alarms`: how many of them have an alarm
    faults: what could not be read -> why
    sent:   how it was sent; null without --send
    """

    day: date
    file: str
    url: str | None
    models: int
    alarms: int
    faults: dict[str, str]
    sent: str | None


@command("tomorrow report --send")
def report(
    send: Annotated[
        bool,
        flag("--send", "Mail it (mail in mlflow.yaml); without a mail server, post its summary to TOMORROW_WEBHOOK."),
    ] = False,
) -> CommandResult:
    """Write the board of the day anew, as one file that needs no server and no internet.

    It is in `reports` of the state directory, and in MLflow. `predict` and `score` write it, too.
    """
    settings, _ = prepare()
    from flows.runs.clock import now
    from tasks.serving.report.send import check_sending, send_report
    from tasks.serving.report.write import write_report

    if send:
        check_sending(settings)
    written = write_report(settings, now())
    sent = send_report(written, settings) if send else None
    answer = ReportAnswer(
        day=written.day,
        file=str(written.file),
        url=written.url,
        models=len(written.board.rows),
        alarms=sum(bool(row.alarms) for row in written.board.rows),
        faults=dict(written.board.faults),
        sent=sent,
    )
    return CommandResult(answer, _text(written, sent))


def _text(written: "DayReport", sent: str | None) -> str:
    from tasks.serving.report.page import summary

    lines = [summary(written.board, written.day), f"  file     {written.file}"]
    if written.url is not None:
        lines.append(f"  look     {written.url}")
    if sent is not None:
        lines.append(f"  sent     {sent}")
    return "\n".join(lines)
