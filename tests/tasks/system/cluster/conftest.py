"""A local cluster of two processes for the tests of a file."""

from collections.abc import Iterator

import pytest
from distributed import Client

from tasks.system.cluster.cluster import Cluster
from tasks.system.cluster.local import local_cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with local_cluster(2, fits=False) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster: Cluster) -> Iterator[Client]:
    with Client(cluster.address, security=cluster.security, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=180)
        yield client
