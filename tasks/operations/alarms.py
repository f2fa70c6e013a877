"""Alarms for people: each is sent as an event to Prefect and as one POST to a webhook.

A failed alarm never fails the run that raised it. The webhook's address may hold a secret: it comes only from the
environment, and appears in no log, error or parameter.
"""

import json
import logging
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

from pydantic import SecretStr

from model.errors import masked
from tasks.settings import AlarmKind, Settings, webhook_address

# Kind of alarm -> kind of its subject, part of the resource id by which Prefect's automations find it.
RESOURCES: Mapping[AlarmKind, str] = {
    "flow.failed": "flow",
    "prices.stale": "security",
    "prices.restated": "security",
    "model.no-skill": "model",
    "model.not-loaded": "model",
    "stack.part-down": "part",
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm.

    subject: a flow, a security's ticker, a registered model, or a part of the stack
    message: a sentence for people
    at:      when the cause was noticed
    details: values for programs, such as JSON can hold
    """

    kind: AlarmKind
    subject: str
    message: str
    at: datetime
    details: Mapping[str, object] = field(default_factory=dict)

    @property
    def event(self) -> str:
        """The name of its event in Prefect."""
        return f"tomorrow.{self.kind}"

    @property
    def resource(self) -> str:
        """The id of its subject in Prefect."""
        return f"tomorrow.{RESOURCES[self.kind]}.{quote(self.subject, safe='-')}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Does not follow redirects: the posted body would be lost on the way to another address."""

    def redirect_request(self, *_: Any) -> None:
        return None


def raise_alarm(alarm: Alarm, settings: Settings, emit: Callable[[Alarm], object] | None = None) -> None:
    """Send an alarm as an event to Prefect and to the webhook; never raises.

    emit: sends the event; by default this process's Prefect client
    """
    alarm = replace(alarm, message=masked(alarm.message))
    for send in (emit or _emit, lambda alarm: _post(alarm, settings)):
        try:
            send(alarm)
        except Exception as error:  # noqa: BLE001 - whatever it is, the run that raised the alarm goes on
            # Only the error's type: its text may hold the address.
            logger.warning("the alarm %s was not sent: %s", alarm.kind, type(error).__name__)


def event_of(alarm: Alarm) -> dict[str, Any]:
    """The alarm as an event for Prefect."""
    return {
        "id": uuid4(),
        "event": alarm.event,
        "occurred": alarm.at,
        "resource": {"prefect.resource.id": alarm.resource, "prefect.resource.name": alarm.subject},
        "payload": {"message": alarm.message, **alarm.details},
    }


def _emit(alarm: Alarm) -> None:
    from prefect.events import emit_event

    emit_event(**event_of(alarm))


def _post(alarm: Alarm, settings: Settings) -> None:
    """Send it to the webhook, if there is one, and wait at most `alarms.timeout` seconds."""
    if webhook_address() is None or alarm.kind not in settings.alarms.kinds:
        return
    body = {
        "kind": alarm.kind,
        "subject": alarm.subject,
        "message": alarm.message,
        "at": alarm.at.isoformat(),
        "details": dict(alarm.details),
        # The field that chat programs show.
        "text": f"{alarm.event}: {alarm.message}",
    }
    result = post(body, settings.alarms.timeout)
    if result:
        logger.warning("the webhook did not take the alarm %s: %s", alarm.kind, result)


def post(body: Mapping[str, object], patience: float) -> str:
    """POST a body to the webhook; what went wrong, or an empty text. It never raises.

    patience: seconds to wait at most
    """
    address = webhook_address()
    if address is None:
        return "there is no webhook: TOMORROW_WEBHOOK is not set"
    outcome: list[str] = []
    sending = threading.Thread(target=_send, args=(address, body, patience, outcome), daemon=True)
    sending.start()
    # urllib's timeout is for each read alone; a server that sends single bytes could take much longer in all.
    sending.join(patience)
    return outcome[0] if outcome else f"no answer within {patience:g} s"


def _send(secret: SecretStr, body: Mapping[str, object], patience: float, outcome: list[str]) -> None:
    """POST the body; append to `outcome` what went wrong, or an empty text.

    Through urllib, since httpx would log the address.
    """
    try:
        address = secret.get_secret_value()
        if urlsplit(address).scheme not in ("http", "https"):
            outcome.append("TOMORROW_WEBHOOK is not an http(s) address")
            return
        request = urllib.request.Request(  # noqa: S310 - its scheme was checked above
            address,
            data=json.dumps(body, default=str).encode(),
            headers={"Content-Type": "application/json", "User-Agent": "tomorrow"},
        )
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=patience):
            outcome.append("")
    except urllib.error.HTTPError as error:
        outcome.append(f"it answers {error.code}")
    except Exception as error:  # noqa: BLE001 - only its type is logged, since its text may hold the address
        outcome.append(type(error).__name__)
