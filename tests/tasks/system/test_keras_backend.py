"""The process that trains: what it does with memory that a step has freed."""

import ctypes
import functools
import os
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType, SimpleNamespace

import pytest

from tasks.system.keras_backend import MEMORY_GROWTH, keep_freed_memory, load_backend
from tests.project import ROOT

# Twenty times, every page of 16 pieces of a megabyte is written to, and all are freed.
CHURN = """
import ctypes, resource, sys
from tasks.system.keras_backend import load_backend

if sys.argv[1] == "kept":
    load_backend()
c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p
faults = []
for _ in range(20):
    pieces = [c.malloc(1 << 20) for _ in range(16)]
    for piece in pieces:
        ctypes.memset(piece, 1, 1 << 20)
    for piece in pieces:
        c.free(ctypes.c_void_p(piece))
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[-1] - faults[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="only glibc's allocator is told what to keep")
def test_memory_that_is_freed_serves_again_without_fresh_pages() -> None:
    assert 10 * _kept() < _fresh_pages("as it comes")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="only glibc's allocator is told what to keep")
def test_what_the_user_has_told_the_allocator_holds() -> None:
    theirs = {"MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072"}

    assert 10 * _kept() < _fresh_pages("kept", theirs)


def test_another_c_library_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: SimpleNamespace())
    keep_freed_memory()


@functools.cache
def _kept() -> int:
    """Those of a process that keeps what is freed; both tests compare with the same one."""
    return _fresh_pages("kept")


def _fresh_pages(kind: str, variables: Mapping[str, str] = MappingProxyType({})) -> int:
    """The pages that the system handed out after the first of the twenty times."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_", "LD_"))}
    command = [sys.executable, "-c", CHURN, kind]
    done = subprocess.run(command, env={**others, **variables}, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.parametrize(("variables", "grows"), [({}, "true"), ({"TF_FORCE_GPU_ALLOW_GROWTH": "false"}, "false")])
def test_a_backend_takes_a_gpus_memory_as_it_needs_it_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], grows: str
) -> None:
    for name in MEMORY_GROWTH:
        monkeypatch.setenv(name, variables.get(name, ""))
        if name not in variables:
            monkeypatch.delenv(name)
    load_backend()
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == grows
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
