"""The log says how the loss falls, and never where an early stop came without it."""

import logging
import sys

import pytest

from flows.runs.progress import training_progress


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a run's log holds, and no terminal to draw on."""
    logged: list[str] = []
    logger = logging.Logger("a run")
    logger.addHandler(logging.Handler())
    monkeypatch.setattr(logger, "info", logged.append)
    monkeypatch.setattr("prefect.logging.get_run_logger", lambda: logger)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    return logged


def numbers(lines: list[str]) -> list[int]:
    return [int(line.split()[1]) for line in lines]


def test_the_first_the_last_and_every_tenth_of_the_epochs_are_logged(lines: list[str]) -> None:
    with training_progress(30) as show:
        for epoch in range(1, 31):
            show(epoch, 1 / epoch)
    assert numbers(lines) == [1, *range(3, 31, 3)]
    assert lines[-1] == "Epoch 30 of 30: loss 0.03333"


def test_the_last_epoch_of_a_fit_that_stops_early_is_logged(lines: list[str]) -> None:
    with training_progress(100) as show:
        for epoch in range(1, 15):
            show(epoch, 0.5)
    assert numbers(lines) == [1, 10, 14]
