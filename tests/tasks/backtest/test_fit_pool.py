"""How many processes fit at once."""

import os

import pytest

from tasks.backtest.fit_pool import usable_processors


def test_each_processor_that_may_be_used_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= usable_processors() <= (os.cpu_count() or 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {1, 5}, raising=False)
    assert usable_processors() == 2


def test_a_system_that_cannot_say_which_uses_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert usable_processors() == 7
