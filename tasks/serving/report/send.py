"""Sends the report: by mail where a mail server is configured, else its summary to the webhook of the alarms."""

import smtplib
import ssl
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid

from model.errors import ConfigurationError
from tasks.operations.alarms import post
from tasks.serving.report.page import summary
from tasks.serving.report.write import DayReport
from tasks.settings import MailSettings, Settings, mail_password, webhook_address

TEXT_LINES = 200


def check_sending(settings: Settings) -> None:
    """ConfigurationError where there is no way to send a report."""
    if settings.mail.host is None and webhook_address() is None:
        raise ConfigurationError(
            "tomorrow report --send",
            have="neither a mail server nor a webhook",
            need="one of them",
            remedy="set mail.host, mail.sender and mail.recipients in mlflow.yaml, or TOMORROW_WEBHOOK",
        )
    if settings.mail.user is not None and mail_password() is None:
        raise ConfigurationError(
            f"mail.user {settings.mail.user}",
            have="no password",
            need="the password in the environment",
            remedy="set TOMORROW_SMTP_PASSWORD, or remove mail.user where the server asks for none",
        )


def send_report(report: DayReport, settings: Settings) -> str:
    """Send it; returns how, in words. ConfigurationError where nothing is configured, or it is not taken."""
    check_sending(settings)
    if settings.mail.host is not None:
        _mail(report, settings.mail)
        return f"mailed to {', '.join(settings.mail.recipients)}"
    text = summary(report.board, report.day)
    body = {"kind": "report", "subject": str(report.day), "message": text, "text": text}
    fault = post(body, settings.alarms.timeout)
    if fault:
        raise _refused("the webhook", fault, "check TOMORROW_WEBHOOK; the report itself is written")
    return "its summary was posted to the webhook"


def message_of(report: DayReport, mail: MailSettings) -> EmailMessage:
    """The mail: the summary as text, and the page as an attachment, which opens in any browser."""
    message = EmailMessage(policy=SMTP)
    message["Subject"] = f"Tomorrow: {report.title}"
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.recipients)
    message["Date"] = formatdate(report.board.read_at.timestamp() if report.board.read_at else None)
    message["Message-ID"] = make_msgid(domain="tomorrow.invalid")
    where = "" if report.url is None else f"\n\nIn MLflow: {report.url}"
    message.set_content(f"{summary(report.board, report.day, TEXT_LINES)}{where}\n")
    message.add_attachment(report.page, subtype="html", filename=f"{report.day}.html")
    return message


def _mail(report: DayReport, mail: MailSettings) -> None:
    host = f"{mail.host}:{mail.port}"
    try:
        with _connected(mail)() as server:
            if mail.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            password = mail_password()
            if mail.user is not None and password is not None:
                server.login(mail.user, password.get_secret_value())
            refused = server.send_message(message_of(report, mail))
    except smtplib.SMTPAuthenticationError as error:
        remedy = "check mail.user in mlflow.yaml, and TOMORROW_SMTP_PASSWORD"
        raise _refused(host, f"it answers {error.smtp_code} to user and password", remedy) from None
    except smtplib.SMTPRecipientsRefused as error:
        have = f"it refuses the recipients ({_codes(error.recipients)})"
        raise _refused(host, have, "check mail.recipients") from None
    except smtplib.SMTPResponseException as error:
        raise _refused(host, f"it answers {error.smtp_code}", "check mail.sender, and the server's log") from None
    except ssl.SSLError as error:
        have = f"no trusted TLS: {error.reason or type(error).__name__}"
        raise _refused(host, have, "check mail.host, mail.port and mail.security") from None
    except UnicodeError:
        # Not from it: it holds what could not be written, which may be the password.
        have = "the server's name, the user or the password cannot be written as the protocol needs it"
        remedy = "check mail.host and mail.user in mlflow.yaml, and TOMORROW_SMTP_PASSWORD: ASCII alone"
        raise _refused(host, have, remedy) from None
    except (OSError, smtplib.SMTPException) as error:
        raise _refused(host, f"{type(error).__name__}", "check mail.host, mail.port and mail.security") from None

    if refused:
        have = f"it refuses some recipients ({_codes(refused)}); the others got it"
        raise _refused(host, have, "check mail.recipients")


def _codes(refused: Mapping[str, tuple[int, bytes]]) -> str:
    """The recipients that a server refused, each with its code."""
    return ", ".join(f"{name}: {code}" for name, (code, _) in refused.items())


def _connected(mail: MailSettings) -> Callable[[], smtplib.SMTP]:
    """How to connect."""
    host, port, patience = str(mail.host), mail.port, mail.timeout
    if mail.security == "tls":
        return lambda: smtplib.SMTP_SSL(host, port, timeout=patience, context=ssl.create_default_context())
    return lambda: smtplib.SMTP(host, port, timeout=patience)


def _refused(subject: str, have: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(
        f"sending the report by {subject}", have=have, need="a server that takes it", remedy=remedy
    )
