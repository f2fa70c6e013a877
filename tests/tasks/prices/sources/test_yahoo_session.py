"""The session that Yahoo is asked through, where it depends on the system."""

import os
import sys

import pytest

from tasks.prices.sources.yahoo_session import _own_symbols


@pytest.mark.parametrize("system", ["this one", "one without RTLD_DEEPBIND"])
def test_libraries_are_loaded_as_before_when_its_own_is(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if system != "this one":
        monkeypatch.delattr(os, "RTLD_DEEPBIND", raising=False)
    before = sys.getdlopenflags()
    with _own_symbols():
        assert sys.getdlopenflags() == before | getattr(os, "RTLD_DEEPBIND", 0)
    assert sys.getdlopenflags() == before
