"""What workers keep from one task run to the next: each task run still has the settings that it was given."""

from collections.abc import Iterator
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.context import SettingsContext, SyncClientContext, serialize_context
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED,
    temporary_settings,
)

from tasks.system.cluster import prefect_contexts
from tasks.system.cluster.prefect_contexts import SETTINGS, serialized_once


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker that has carried out nothing yet."""
    monkeypatch.setattr(prefect_contexts, "_kept", [])
    yield
    for kept in prefect_contexts._kept:
        kept.client.client.__exit__(None, None, None)


def given(port: int, key: str = "a:b") -> dict[str, Any]:
    """What a task run is given where Prefect's server is at that port and asks for that key."""
    with temporary_settings(
        {
            PREFECT_API_URL: f"http://127.0.0.1:{port}/api",
            PREFECT_API_AUTH_STRING: key,
            PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED: False,  # nobody listens there
        }
    ):
        return serialize_context()


def client_in(context: dict[str, Any]) -> SyncPrefectClient:
    """The client of a task run, which is that of the address in its settings."""
    with prefect_contexts._hydrated(context):
        client = get_client(sync_client=True)
        assert PREFECT_API_URL.value() == str(client.api_url).rstrip("/")
        return client


def test_task_runs_with_the_same_settings_share_a_client() -> None:
    assert client_in(given(1)) is client_in(given(1))


def test_a_task_run_with_another_server_or_key_has_another_client_and_leaves_none_behind() -> None:
    first, second, third = client_in(given(1)), client_in(given(2)), client_in(given(2, "c:d"))
    assert len({id(first), id(second), id(third)}) == 3
    assert first._client.is_closed
    assert second._client.is_closed
    assert not third._client.is_closed


def test_after_a_task_run_client_and_settings_are_as_they_were() -> None:
    address = PREFECT_API_URL.value()
    client_in(given(1))
    assert SyncClientContext.get() is None
    assert PREFECT_API_URL.value() == address


def test_settings_are_copied_once_for_all_task_runs_and_as_prefect_does() -> None:
    present = SettingsContext.get()
    assert present is not None
    with serialized_once():
        first, second = serialize_context()[SETTINGS], serialize_context()[SETTINGS]
    assert first is second
    assert first == present.serialize()
