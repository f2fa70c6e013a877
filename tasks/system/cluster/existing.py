"""A Dask cluster that others have started, by its scheduler's address.

A scheduler runs whatever it is sent, as its own user. With tcp:// whoever reaches its port may send it something; with
tls:// whoever has a certificate of the cluster's, which Dask's own configuration names (`distributed.comm.tls`).
"""

from model.errors import ConfigurationError
from tasks.system.cluster.cluster import Cluster


def existing_cluster(address: str) -> Cluster:
    """The cluster with its scheduler there; ConfigurationError where there is no certificate to show to it."""
    from distributed.security import Security

    security = Security()
    shown = security.get_tls_config_for_role("client")
    if address.startswith("tls:") and not (shown["ca_file"] and shown["cert"]):
        raise ConfigurationError(
            f"cluster {address!r}",
            have="no certificate to show to it",
            need="distributed.comm.tls.ca-file and distributed.comm.tls.client in Dask's configuration",
            remedy="set them in ~/.config/dask/distributed.yaml, or by the variables "
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ..__CLIENT__CERT and ..__CLIENT__KEY",
        )
    return Cluster(address=address, security=security)
