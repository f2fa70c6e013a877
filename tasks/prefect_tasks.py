"""The work of the layers below as Prefect's tasks: named, timed, and nothing more.

No task caches or persists its result: they hand over arrays and networks, and Prefect would pickle those.
"""

import functools
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE

from tasks.system.disk_errors import storage_fault

Given = ParamSpec("Given")
Answer = TypeVar("Answer")

_seconds: ContextVar[dict[str, float]] = ContextVar("seconds")


def start_timing() -> dict[str, float]:
    """A new table of seconds by step, filled in as this flow's steps end."""
    seconds: dict[str, float] = {}
    _seconds.set(seconds)
    return seconds


def step(function: Callable[Given, Answer], name: str) -> Task[Given, Answer]:
    """A function as a task of that name, its wall time noted.

    Where its work could not be written, since a disk is full or may not be written, its error says that.
    """

    @functools.wraps(function)
    def timed(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        except Exception as error:
            told = storage_fault(error)
            if told is None:
                raise
            raise told from error
        finally:
            seconds = _seconds.get()
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start

    return task(name=name, cache_policy=NO_CACHE, persist_result=False)(timed)
