"""The graphics processors (GPUs) that fits can use, and which of them each process of a local cluster sees."""

import functools
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tasks.system import durations

# By which CUDA, and what uses it, is told which GPUs there are: numbers or names, separated by commas.
VISIBLE = "CUDA_VISIBLE_DEVICES"
# What a process is told of all of them, before it knows which number it has.
OFFERED = "TOMORROW_GPUS"
DEVICES = Path("/dev")
QUESTION = "import keras; print(*keras.distribution.list_devices('gpu'))"


@functools.cache
def usable_gpus() -> tuple[str, ...]:
    """The GPUs that Keras's backend computes on, as CUDA_VISIBLE_DEVICES names them; none on most machines.

    A driver alone is not enough: without CUDA's libraries the backend computes on the CPU. So the backend is asked. It
    takes seconds and takes hold of each GPU that it sees, so that is done in a process of its own, and only where there
    is a device.
    """
    given = os.environ.get(VISIBLE)
    if given is not None and not _named(given):
        return ()
    if not any(DEVICES.glob("nvidia[0-9]*")):
        return ()
    try:
        # -P: the folder that a command was started in is no place to import from.
        asked = subprocess.run(
            [sys.executable, "-P", "-c", QUESTION],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=durations.ASK_GPUS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ()
    count = len(asked.stdout.split()) if asked.returncode == 0 else 0
    names = _named(given) if given is not None else tuple(str(number) for number in range(count))
    return names[:count]


def _named(visible: str) -> tuple[str, ...]:
    """The devices that a value of CUDA_VISIBLE_DEVICES names: those before the first that is none, such as -1."""
    names: list[str] = []
    for name in (part.strip() for part in visible.split(",")):
        if not name or name.startswith("-"):
            break
        names.append(name)
    return tuple(names)


def offer(gpus: Sequence[str]) -> dict[str, str]:
    """The variables of processes that share these GPUs."""
    return {OFFERED: ",".join(gpus)} if gpus else {}


def see_one(number: int) -> None:
    """Let this process, the one with that number, see one of the GPUs that it is offered, in turn.

    To be called before the backend is loaded: it looks for GPUs once.
    """
    gpus = _named(os.environ.get(OFFERED, ""))
    if gpus:
        os.environ[VISIBLE] = gpus[number % len(gpus)]
