"""What Prefect makes anew for each task run that a worker carries out, made once: its settings, and its client.

Together they take as long as a forecast: the command copies every setting, and the worker checks them all again; and a
client loads the certificates of all authorities that it would trust.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from prefect import task_engine
from prefect.client.orchestration import PrefectClient, SyncPrefectClient
from prefect.context import SettingsContext, SyncClientContext, hydrated_context
from pydantic import PrivateAttr

SETTINGS = "settings_context"


class _SerializedOnce(SettingsContext):
    """Prefect's settings; for all task runs that are submitted with them they are copied once."""

    _copied: dict[str, Any] | None = PrivateAttr(None)

    def serialize(self, include_secrets: bool = True) -> dict[str, Any]:
        """The copy."""
        if self._copied is None:
            self._copied = super().serialize(include_secrets=include_secrets)
        return self._copied


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the task run before was given, and what was made of it."""

    given: dict[str, Any]
    settings: SettingsContext
    client: SyncClientContext


_kept: list[_Kept] = []


@contextmanager
def serialized_once() -> Iterator[None]:
    """In the block the present settings, which must not change, are copied once for all task runs."""
    present = SettingsContext.get()
    if present is None:
        yield
        return
    with _SerializedOnce(profile=present.profile, settings=present.settings):
        yield


def reuse_contexts() -> None:
    """Have this process, a worker with one thread, use settings and client for all task runs that bring the same."""
    task_engine.hydrated_context = _hydrated  # type: ignore[attr-defined] # there by its import


@contextmanager
def _hydrated(
    serialized_context: dict[str, Any] | None = None, client: PrefectClient | SyncPrefectClient | None = None
) -> Iterator[None]:
    """What Prefect's function of that name does."""
    given = (serialized_context or {}).get(SETTINGS)
    if serialized_context is None or not given or client is not None:
        with hydrated_context(serialized_context, client):
            yield
        return
    kept = _made_of(given)
    before = SyncClientContext.__var__.set(kept.client)
    try:
        with kept.settings.model_copy(), hydrated_context({**serialized_context, SETTINGS: None}, kept.client.client):
            yield
    finally:
        SyncClientContext.__var__.reset(before)


def _made_of(given: dict[str, Any]) -> _Kept:
    """What is kept, made anew where a task run brings other settings than the one before."""
    if not _kept or _kept[0].given != given:
        for old in _kept:
            old.client.client.__exit__(None, None, None)
        _kept.clear()
        settings = SettingsContext(**given)
        with settings:
            _kept.append(_Kept(given, settings, _new_client()))
    return _kept[0]


def _new_client() -> SyncClientContext:
    """A client by the present settings, ready for use; it is not the present one."""
    nothing: Any = None
    before = SyncClientContext.__var__.set(nothing)  # else it would be the client that is there
    try:
        client = SyncClientContext()
        client.__enter__()
        return client
    finally:
        SyncClientContext.__var__.reset(before)
