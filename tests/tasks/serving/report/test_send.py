"""The report is mailed over TLS, or its summary goes to the webhook; no password is ever shown."""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from model.errors import ConfigurationError
from tasks.serving.report.page import report_page
from tasks.serving.report.send import send_report
from tasks.serving.report.write import DayReport
from tasks.settings import MailSettings, Settings
from tests.fakes.certificate import make_certificate
from tests.tasks.operations.test_alarms import webhook
from tests.tasks.serving.pages.given import made_board

PASSWORD = "hush-" + "hush-hush"
BOARD, DAY = made_board(12), date(2026, 11, 27)
PAGE = report_page(BOARD, DAY)
REPORT = DayReport(day=DAY, board=BOARD, page=PAGE, file=Path("reports/2026-11-27.html"), url="http://mlflow.example/r")

ANSWERS = {
    "EHLO": "250-here\r\n250-STARTTLS\r\n250 AUTH PLAIN",
    "STARTTLS": "220 go on",
    "AUTH": "235 welcome",
    "DATA": "354 send it",
    "QUIT": "221 bye",
}


@dataclass
class MailServer:
    """What a mail server was sent.

    refuse: command, or a whole line in capitals -> the answer in place of the usual one
    """

    port: int = 0
    refuse: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)


@contextmanager
def mail_server(
    context: ssl.SSLContext, refuse: Mapping[str, str] | None = None, *, at_once: bool = False
) -> Iterator[MailServer]:
    """A mail server of this machine, of as much of SMTP as a client needs."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = MailServer(listening.getsockname()[1], dict(refuse or {}))

    def talk() -> None:
        while True:
            try:
                given, _ = listening.accept()
            except OSError:
                return
            with suppress(OSError, ValueError):
                _talk(server, given, context, at_once)

    threading.Thread(target=talk, daemon=True).start()
    try:
        yield server
    finally:
        listening.close()


def _talk(server: MailServer, given: socket.socket, context: ssl.SSLContext, at_once: bool) -> None:
    line, secured = (context.wrap_socket(given, server_side=True), True) if at_once else (given, False)
    stream = line.makefile("rwb", buffering=0)

    def say(text: str) -> None:
        stream.write(f"{text}\r\n".encode())

    say("220 here")
    while words := stream.readline().decode().split():
        command = words[0].upper()
        server.commands.append(command)
        server.secured.append(secured)
        refused = server.refuse.get(command) or server.refuse.get(" ".join(words).upper())
        say(refused or ANSWERS.get(command, "250 fine"))
        if refused:
            continue
        if command == "STARTTLS":
            line, secured = context.wrap_socket(line, server_side=True), True
            stream = line.makefile("rwb", buffering=0)
        elif command == "DATA":
            # A line that begins with a dot is sent with another one before it.
            server.mails.append(b"".join(part.removeprefix(b".") for part in iter(stream.readline, b".\r\n")))
            say("250 taken")
        elif command == "QUIT":
            line.close()
            return


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's side of TLS, whose certificate this process trusts."""
    public, made = make_certificate(tmp_path, ("localhost",))
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    monkeypatch.setenv("TOMORROW_SMTP_PASSWORD", PASSWORD)
    monkeypatch.delenv("TOMORROW_WEBHOOK", raising=False)
    return made


def with_mail(settings: Settings, port: int, **changes: Any) -> Settings:
    given = {
        "host": "localhost",
        "port": port,
        "user": "board",
        "sender": "board@example.org",
        "recipients": ("a@example.org", "b@example.org"),
        "timeout": 20,
    }
    return settings.model_copy(update={"mail": MailSettings.model_validate({**given, **changes})})


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_it_is_mailed_and_nothing_secret_before_tls(settings: Settings, context: ssl.SSLContext, security: str) -> None:
    with mail_server(context, at_once=security == "tls") as server:
        said = send_report(REPORT, with_mail(settings, server.port, security=security))
    assert said == "mailed to a@example.org, b@example.org"
    before = [command for command, secured in zip(server.commands, server.secured, strict=True) if not secured]
    assert before == (["EHLO", "STARTTLS"] if security == "starttls" else [])
    assert "AUTH" in server.commands
    (mail,) = (message_from_bytes(found, policy=default) for found in server.mails)
    assert (mail["To"], mail["From"]) == ("a@example.org, b@example.org", "board@example.org")
    assert mail["Subject"] == "Tomorrow: Board of Friday, 2026-11-27"
    text = mail.get_body(("plain",))
    assert text is not None
    assert "META-Open 2026-11-30: $" in text.get_content()
    assert "http://mlflow.example/r" in text.get_content()
    (page,) = mail.iter_attachments()
    assert page.get_filename() == "2026-11-27.html"
    assert page.get_content().replace("\r\n", "\n").rstrip() == PAGE


def test_a_certificate_that_is_not_trusted_ends_it_before_the_password(
    settings: Settings, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with mail_server(context) as server, pytest.raises(ConfigurationError, match="no trusted TLS") as caught:
        send_report(REPORT, with_mail(settings, server.port))
    assert "AUTH" not in server.commands
    assert PASSWORD not in str(caught.value)


def test_a_server_without_tls_is_not_used(settings: Settings, context: ssl.SSLContext) -> None:
    with mail_server(context, {"EHLO": "250 here"}) as server, pytest.raises(ConfigurationError):
        send_report(REPORT, with_mail(settings, server.port))
    assert set(server.commands) <= {"EHLO", "QUIT"}


@pytest.mark.parametrize(
    ("refuse", "part"),
    [
        ({"AUTH": f"535 {PASSWORD} is wrong"}, "answers 535 to user and password"),
        ({"RCPT": "550 nobody"}, "refuses the recipients"),
        ({"MAIL": "553 not you"}, "answers 553"),
    ],
)
def test_a_refusal_is_said_without_the_password(
    settings: Settings, context: ssl.SSLContext, refuse: dict[str, str], part: str
) -> None:
    with mail_server(context, refuse) as server, pytest.raises(ConfigurationError, match=part) as caught:
        send_report(REPORT, with_mail(settings, server.port))
    assert PASSWORD not in str(caught.value)
    assert server.mails == []


def test_without_a_mail_server_its_summary_goes_to_the_webhook(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook(200) as (address, sent):
        monkeypatch.setenv("TOMORROW_WEBHOOK", address)
        assert send_report(REPORT, settings) == "its summary was posted to the webhook"
    (body,) = sent
    assert (body["kind"], body["subject"]) == ("report", "2026-11-27")
    assert str(body["text"]).startswith("Board of Friday, 2026-11-27: 12 models")


def test_a_webhook_that_refuses_is_said_without_its_address(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook(500) as (address, _):
        monkeypatch.setenv("TOMORROW_WEBHOOK", address)
        with pytest.raises(ConfigurationError, match="it answers 500") as caught:
            send_report(REPORT, settings)
    assert address not in str(caught.value)


def test_with_neither_it_says_what_to_set(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOMORROW_WEBHOOK", raising=False)
    with pytest.raises(ConfigurationError, match="neither a mail server nor a webhook"):
        send_report(REPORT, settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "mail.example.org"},
        {"host": "mail.example.org", "sender": "a@b.c", "recipients": ["a@b.c"], "security": "none"},
        {"sender": "a@b.c\nBcc: d@e.f"},
        {"recipients": ["nobody"]},
    ],
)
def test_settings_that_would_mail_to_nobody_or_in_the_open_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"mail|address"):
        MailSettings.model_validate(wrong)


def test_who_was_refused_is_named_although_others_got_it(settings: Settings, context: ssl.SSLContext) -> None:
    with (
        mail_server(context, {"RCPT TO:<B@EXAMPLE.ORG>": "550 nobody of that name"}) as server,
        pytest.raises(ConfigurationError, match=r"b@example\.org: 550.*the others got it"),
    ):
        send_report(REPORT, with_mail(settings, server.port))
    assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("changes", "password"),
    [({}, "h\N{LATIN SMALL LETTER U WITH DIAERESIS}sh"), ({"host": "mail..example.org"}, "hush")],
)
def test_what_the_protocol_cannot_write_is_said_in_a_sentence(
    settings: Settings,
    context: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str],
    password: str,
) -> None:
    monkeypatch.setenv("TOMORROW_SMTP_PASSWORD", password)
    with mail_server(context) as server, pytest.raises(ConfigurationError, match="sending the report") as refused:
        send_report(REPORT, with_mail(settings, server.port, **changes))
    assert password not in str(refused.value)
    assert refused.value.__cause__ is None
