"""The process that trains: what it does with memory that a step has freed."""

import ctypes
import subprocess
import sys

import pytest

# Twenty times, every page of 16 pieces of a megabyte is written to, and all are freed.
CHURN = """
import ctypes, resource, sys
from tasks.backend import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()
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


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="only glibc's allocator is told what to keep")
def test_memory_that_is_freed_serves_again_without_fresh_pages() -> None:
    fresh = {kind: _fresh_pages(kind) for kind in ("kept", "as it comes")}

    assert 10 * fresh["kept"] < fresh["as it comes"]


def _fresh_pages(kind: str) -> int:
    """The pages that the system handed out after the first of the twenty times."""
    done = subprocess.run([sys.executable, "-c", CHURN, kind], capture_output=True, text=True, check=True)
    return int(done.stdout)
