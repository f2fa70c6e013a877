"""Which processes work is given to."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from tasks.system.cluster.cluster import Cluster

_at_hand: ContextVar[Cluster | None] = ContextVar("cluster at hand", default=None)


@contextmanager
def cluster_for(address: str | None, count: int, *, fits: bool, loads: Sequence[str] = ()) -> Iterator[Cluster | None]:
    """The existing cluster at the address, else so many processes of this machine; None for a single one.

    Within a block of it, it gives that block's: its processes load what they need while others are still loading
    Prefect and MLflow, and once for all securities.

    fits:  whether they load Keras when they start
    loads: modules that processes of this machine load, too; those of a cluster are there already
    """
    already = _at_hand.get()
    if already is not None:
        yield already
    elif address is not None:
        from tasks.system.cluster.existing import existing_cluster

        with _noted(existing_cluster(address)) as cluster:
            yield cluster
    elif count > 1:
        from tasks.system.cluster.gpus import usable_gpus
        from tasks.system.cluster.local import local_cluster

        gpus = usable_gpus() if fits else ()
        with local_cluster(count, fits=fits, loads=loads, gpus=gpus) as made, _noted(made) as cluster:
            yield cluster
    else:
        yield None


@contextmanager
def _noted(cluster: Cluster) -> Iterator[Cluster]:
    token = _at_hand.set(cluster)
    try:
        yield cluster
    finally:
        _at_hand.reset(token)
