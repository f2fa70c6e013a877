"""What each process that fits does before its first fit: it loads Keras and its backend.

Workers of other machines may be given this module too: `dask worker ... --preload tasks.system.cluster.preload_keras`.
"""

from tasks.system.keras_backend import prepare_fitting


def dask_setup(_worker: object) -> None:
    """Called by Dask before the process takes its first task."""
    prepare_fitting()
