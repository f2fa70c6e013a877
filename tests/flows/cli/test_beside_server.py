"""In which order Prefect's server and the processes of a command begin and end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from flows.cli.several import beside_server
from model.errors import ConfigurationError

PROCESSES = object()


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What begins and ends, in this order; the server and the processes are stand-ins."""
    heard: list[str] = []

    @contextmanager
    def orchestrated(meanwhile: Callable[[], object]) -> Iterator[None]:
        heard.append("server begins")
        meanwhile()
        heard.append("server answers")
        try:
            yield
        finally:
            heard.append("server ends")

    @contextmanager
    def cluster_for(address: str | None, count: int, *, loads: tuple[str, ...], **_: bool) -> Iterator[object]:
        if address == "tcp://nobody:1":
            raise ConfigurationError(address, have="no answer", need="a scheduler", remedy="start it")
        heard.append(f"processes begin{''.join(f', with {name}' for name in loads)}")
        try:
            yield PROCESSES if count > 1 or address else None
        finally:
            heard.append("processes end")

    monkeypatch.setattr("tasks.system.prefect_server.orchestrated", orchestrated)
    monkeypatch.setattr("tasks.system.cluster.choose.cluster_for", cluster_for)
    return heard


def test_processes_of_this_machine_begin_while_the_server_starts(events: list[str]) -> None:
    with beside_server(None, 2, fits=False) as made:
        events.append("work")
    assert made is PROCESSES
    assert events == [
        "server begins",
        "processes begin, with tasks.forecasts.preload",
        "server answers",
        "work",
        "server ends",
        "processes end",
    ]


def test_a_process_alone_imports_while_the_server_starts(events: list[str]) -> None:
    with beside_server(None, 1, fits=True, meanwhile=lambda: events.append("imports")) as made:
        pass
    assert made is None
    assert events[:4] == ["server begins", "processes begin", "imports", "server answers"]


def test_a_cluster_that_refuses_is_told_of_before_a_server_is_started(events: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="no answer"), beside_server("tcp://nobody:1", 2, fits=True):
        pass
    assert events == []


def test_processes_end_after_an_error_in_the_work(events: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), beside_server("tcp://somebody:1", 2, fits=True):
        raise ZeroDivisionError
    assert events == ["processes begin", "server begins", "server answers", "server ends", "processes end"]
