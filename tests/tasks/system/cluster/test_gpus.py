"""Pretended devices, since there is no GPU where the tests run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from tasks.settings import Settings
from tasks.system.cluster import gpus
from tasks.system.cluster.choose import cluster_for
from tasks.system.cluster.gpus import OFFERED, VISIBLE, offer, see_one, usable_gpus
from tasks.system.cluster.local import local_cluster
from tasks.system.cluster.processors import processes_to_fit, usable_processors
from tests.tasks.system.cluster.test_local import die_once, wait_until


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.delenv(OFFERED, raising=False)
    usable_gpus.cache_clear()
    yield
    usable_gpus.cache_clear()


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two devices, which the backend computes on, and the device of the driver itself."""
    for name in ("nvidia0", "nvidia1", "nvidiactl"):
        (tmp_path / name).touch()
    monkeypatch.setattr(gpus, "DEVICES", tmp_path)
    monkeypatch.setattr(gpus, "QUESTION", "print('gpu:0 gpu:1')")


def seen() -> str | None:
    return os.environ.get(VISIBLE)


@pytest.mark.usefixtures("two")
def test_each_gpu_is_given_one_process() -> None:
    assert usable_gpus() == ("0", "1")
    assert processes_to_fit() == 2


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("visible", "usable"),
    [("1", ("1",)), ("GPU-b, GPU-a", ("GPU-b", "GPU-a")), ("3,-1,4", ("3",)), ("5,6,7", ("5", "6"))],
)
def test_gpus_have_the_names_by_which_the_user_has_chosen_them(
    monkeypatch: pytest.MonkeyPatch, visible: str, usable: tuple[str, ...]
) -> None:
    """And there are never more than the backend computes on: here two."""
    monkeypatch.setenv(VISIBLE, visible)
    assert usable_gpus() == usable


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("none", ["", "-1"])
def test_a_user_who_hides_the_gpus_gets_a_process_for_each_processor(
    monkeypatch: pytest.MonkeyPatch, none: str
) -> None:
    monkeypatch.setenv(VISIBLE, none)
    assert usable_gpus() == ()
    assert processes_to_fit() == usable_processors()


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("question", ["print()", "raise ImportError('no backend')", "import time; time.sleep(60)"])
def test_a_driver_whose_gpus_the_backend_cannot_use_counts_as_none(
    monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    monkeypatch.setattr(gpus, "QUESTION", question)
    monkeypatch.setattr("tasks.system.durations.ASK_GPUS", 2.0)
    assert usable_gpus() == ()


@pytest.mark.slow
@pytest.mark.skipif(any(Path("/dev").glob("nvidia[0-9]*")), reason="there is a graphics processor")
def test_the_real_backend_is_asked_and_has_none_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(gpus, "DEVICES", tmp_path)
    # Where the question fails, what stands after it is not carried out.
    then = f"print(*keras.distribution.list_devices('cpu'), file=open({str(tmp_path / 'has')!r}, 'w'))"
    monkeypatch.setattr(gpus, "QUESTION", f"{gpus.QUESTION}; {then}")
    assert usable_gpus() == ()
    assert (tmp_path / "has").read_text().split() == ["cpu:0"]


def test_without_a_device_the_backend_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "nvidiactl").touch()
    monkeypatch.setattr(gpus, "DEVICES", tmp_path)
    monkeypatch.setattr(gpus, "QUESTION", "print('gpu:0')")
    assert usable_gpus() == ()


def test_processes_take_the_gpus_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OFFERED, offer(("4", "GPU-a"))[OFFERED])
    taken = []
    for number in range(3):
        see_one(number)
        taken.append(seen())
    assert taken == ["4", "GPU-a", "4"]


def test_without_gpus_a_process_is_told_nothing() -> None:
    assert offer(()) == {}
    see_one(0)
    assert seen() is None


@pytest.mark.slow
@pytest.mark.usefixtures("two")
def test_each_process_of_a_cluster_that_fits_sees_one_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.system.cluster.local.LOADED_TO_FIT", "tasks.system.cluster.preload")  # without Keras
    with cluster_for(None, 2, fits=True) as cluster:
        assert cluster is not None
        with Client(cluster.address, security=cluster.security, set_as_default=False) as client:
            client.wait_for_workers(2)
            assert sorted(map(str, client.run(seen).values())) == ["0", "1"]
    assert seen() is None


@pytest.mark.slow
def test_a_process_that_replaces_another_takes_its_gpu(tmp_path: Path) -> None:
    with (
        local_cluster(2, fits=False, gpus=("4", "7")) as cluster,
        Client(cluster.address, security=cluster.security, set_as_default=False) as client,
    ):
        client.wait_for_workers(2)
        assert client.submit(die_once, str(tmp_path / "died"), pure=False).result()
        assert wait_until(lambda: len(client.nthreads()) == 2)
        assert sorted(map(str, client.run(seen).values())) == ["4", "7"]


def test_one_security_alone_asks_for_no_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The question takes seconds, and one security is trained by the command's own process anyhow."""
    from flows.cli.several import processes_for

    asked: list[bool] = []

    class Asked(Exception):
        """The number of processes is known."""

    def jobs(_wanted: int | None, *, fits: bool) -> int:
        asked.append(fits)
        raise Asked

    monkeypatch.setattr("flows.cli.several.jobs", jobs)
    for securities in (1, 2):
        with pytest.raises(Asked), processes_for(securities, Settings(home=tmp_path), None, None, fits=True):
            pass
    assert asked == [False, True]
