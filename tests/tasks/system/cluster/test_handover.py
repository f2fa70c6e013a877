"""What a worker is given, and what it refuses: on real processes."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from model.errors import ConfigurationError
from tasks.settings import Settings, read_settings
from tasks.system.cluster.existing import existing_cluster
from tasks.system.cluster.handover import Handover, handed_over, prepare_handover, take_up
from tasks.system.prefect_server import OrchestrationServer

SERVER = OrchestrationServer("http://127.0.0.1:1/api", "a key")
OURS = {"code": "v1 (abc)", "keras": "3.15"}


def same() -> Mapping[str, str]:
    return OURS


def other_code() -> Mapping[str, str]:
    return {**OURS, "code": "v2 (def)"}


def other_library() -> Mapping[str, str]:
    return {**OURS, "keras": "3.16"}


def seen(stamp: str) -> tuple[str | None, ...]:
    """What a task of the command finds in its process."""
    take_up(stamp)
    names = (
        *("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "MLFLOW_TRACKING_TOKEN"),
        *("AWS_SECRET_ACCESS_KEY", "AWS_SHARED_CREDENTIALS_FILE"),
    )
    return (str(read_settings().home), *(os.environ.get(name) for name in names))


def mode_after(stamp: str, folder: str) -> str:
    """The gate's mode that a task finds at its end, which comes when somebody lets it go on."""
    take_up(stamp)
    Path(folder, "begun").touch()
    while not Path(folder, "go on").exists():
        time.sleep(0.05)
    return read_settings().gate.mode


def handover(settings: Settings, identify: Callable[[], Mapping[str, str]] = same) -> Handover:
    return replace(prepare_handover(settings, SERVER, same), identify=identify)


@pytest.mark.slow
def test_settings_addresses_and_credentials_reach_each_process(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "a token")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a key to S3")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/of/this/machine")
    given = handover(settings)
    assert "a key" not in repr(given)
    assert "a token" not in repr(given)
    assert "S3" not in repr(given)
    with handed_over(client, given, lasting=True):
        found = client.gather(client.map(seen, [given.stamp] * 4, pure=False))
    assert set(found) == {(str(settings.home), SERVER.address, "a key", "a token", "a key to S3", None)}


@pytest.mark.slow
def test_nothing_of_one_command_is_left_for_the_next(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "a token")
    first = handover(settings)
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
    second = handover(settings)
    tokens = []
    for given in (first, second):
        with handed_over(client, given, lasting=True):
            tokens.append({found[3] for found in client.gather(client.map(seen, [given.stamp] * 4, pure=False))})
    assert tokens == [{"a token"}, {None}]


@pytest.mark.slow
def test_a_command_that_comes_later_changes_no_task_that_goes_on(
    client: Client, settings: Settings, tmp_path: Path
) -> None:
    enforced, watched = (
        handover(settings.model_copy(update={"gate": settings.gate.model_copy(update={"mode": mode})}))
        for mode in ("enforce", "manual")
    )
    with handed_over(client, enforced, lasting=True):
        going_on = client.submit(mode_after, enforced.stamp, str(tmp_path), pure=False)
        while not (tmp_path / "begun").exists():
            time.sleep(0.05)
        with handed_over(client, watched, lasting=True):
            (tmp_path / "go on").touch()
            assert going_on.result() == "enforce"
            assert client.submit(mode_after, watched.stamp, str(tmp_path), pure=False).result() == "manual"


@pytest.mark.slow
def test_a_process_that_was_given_nothing_refuses(client: Client) -> None:
    with pytest.raises(ConfigurationError, match="settings, Prefect's and MLflow's addresses") as refusal:
        client.submit(seen, "a stamp of nobody", pure=False).result()
    assert refusal.value.exit_code == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("identify", "there", "here"),
    [(other_code, "code v2 (def)", "code v1 (abc)"), (other_library, "keras 3.16", "keras 3.15")],
)
def test_a_worker_of_another_version_refuses_and_both_are_named(
    client: Client, settings: Settings, identify: Callable[[], Mapping[str, str]], there: str, here: str
) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"the worker tls://127\.0\.0\.1:") as refusal,
        handed_over(client, handover(settings, identify), lasting=True),
    ):
        pass
    assert refusal.value.have == there
    assert refusal.value.need.startswith(here)


@pytest.mark.slow
def test_a_worker_that_does_not_see_the_state_directory_refuses(client: Client, settings: Settings) -> None:
    with (
        pytest.raises(ConfigurationError, match="another state directory"),
        handed_over(client, replace(handover(settings), state="of another"), lasting=True),
    ):
        pass


@pytest.mark.slow
def test_a_worker_of_two_threads_refuses(settings: Settings) -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as made,
        Client(made, set_as_default=False) as client,
        pytest.raises(ConfigurationError, match="2 threads"),
        handed_over(client, handover(settings), lasting=True),
    ):
        pass


def test_a_cluster_by_tls_needs_a_certificate() -> None:
    with pytest.raises(ConfigurationError, match="no certificate to show") as refusal:
        existing_cluster("tls://127.0.0.1:8786")
    assert "distributed.comm.tls" in refusal.value.need
