"""The sections of mlflow.yaml for the work of every day: alarms, schedules, housekeeping, the report and its mail."""

import re
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from tasks.settings.section import Section

# A hundred years: what nobody wants removed.
MOST_DAYS = 36500

AlarmKind = Literal[
    "flow.failed", "prices.stale", "prices.restated", "model.no-skill", "model.not-loaded", "stack.part-down"
]


class AlarmSettings(Section):
    """Which alarms are sent to the webhook, and how many seconds it has to answer."""

    kinds: tuple[AlarmKind, ...] = get_args(AlarmKind)
    timeout: float = Field(5.0, gt=0)


class ScheduleSettings(Section):
    """Which runs count as late, and how many missed sessions are caught up.

    late_minutes: a run that starts so many minutes after it was due is reported as late
    catch_up:     at most so many missed sessions are caught up at once, the newest ones
    """

    late_minutes: float = Field(30, ge=0)
    catch_up: int = Field(5, ge=0)


class HousekeepingSettings(Section):
    """After how many days `tomorrow clean` archives or removes what nothing uses.

    archive:   from Staging to Archived
    remove:    versions and runs
    snapshots: fetched prices, and the records of their fetches
    logs:      of the stack
    prefect:   flow runs, which the Prefect server of the stack removes itself
    """

    archive_days: int = Field(30, ge=0, le=MOST_DAYS)
    remove_days: int = Field(365, ge=0, le=MOST_DAYS)
    snapshot_days: int = Field(365, ge=0, le=MOST_DAYS)
    log_days: int = Field(30, ge=0, le=MOST_DAYS)
    prefect_days: int = Field(90, ge=1, le=MOST_DAYS)


class ReportSettings(Section):
    """The daily report; `daily`: whether `predict` and `score` write it."""

    daily: bool = True


def _mail_address(text: str) -> str:
    """The address unchanged; ValueError where it could not be one, or would begin another line of a mail."""
    if not re.fullmatch(r"[^\s@<>,;]+@[^\s@<>,;]+", text) or not text.isprintable():
        raise ValueError("a mail address such as board@example.org")
    return text


MailAddress = Annotated[str, AfterValidator(_mail_address)]


class MailSettings(Section):
    """The server by which `tomorrow report --send` mails the report; its password is TOMORROW_SMTP_PASSWORD.

    host:     null: no mail
    security: starttls: TLS begins within the connection; tls: from the start; none: for a server on this machine alone
    user:     null: without user and password
    timeout:  seconds for each answer of the server
    """

    host: str | None = None
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    sender: MailAddress | None = None
    recipients: tuple[MailAddress, ...] = ()
    timeout: float = Field(30.0, gt=0)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.host is not None and (self.sender is None or not self.recipients):
            raise ValueError("with mail.host also mail.sender, and at least one address in mail.recipients")
        if self.security == "none" and self.host not in (None, "localhost", "127.0.0.1", "::1"):
            raise ValueError("mail.security starttls or tls: only a server on this machine is used without TLS")
        return self
