"""The registry of a test of its own."""

import pytest

from tasks.registry.registry import Registry
from tasks.tracking.client import Tracking


@pytest.fixture
def registry(tracking: Tracking) -> Registry:
    return Registry(tracking)
