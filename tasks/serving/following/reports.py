"""Asks an MLflow server to report promotions, so that they are noticed at once; looking finds them a little later."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tasks.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

HERE = ("127.0.0.1", "localhost", "::1")


def reports_to(settings: Settings) -> str | None:
    """The address at which MLflow's server reaches the board's; None where there is no server, or none is known."""
    tracking, serving = settings.tracking_uri, settings.serving
    if not tracking.is_server or serving.webhook is not None:
        return serving.webhook if tracking.is_server else None
    if urlsplit(tracking.bare).hostname not in HERE or serving.host not in HERE:
        return None
    return serving.address


def ask_for_reports(client: "MlflowClient", name: str, url: str, key: str) -> None:
    """Have an MLflow server report each moved alias to `url`, signed with `key`; MlflowException if it refuses.

    MLflow has no event for stages; the alias `production` is moved with them. What it was asked before under this name
    is renewed.
    """
    found, token = None, None
    while True:
        page = client.list_webhooks(page_token=token)
        found = found or next((hook for hook in page if hook.name == name), None)
        token = page.token
        if not token:
            break
    if found is None:
        client.create_webhook(
            name=name,
            url=url,
            events=["model_version_alias.created", "model_version_alias.deleted"],
            description="The board of `tomorrow` looks at Production when an alias is moved.",
            secret=key,
        )
    else:
        client.update_webhook(found.webhook_id, url=url, secret=key, status="ACTIVE")
