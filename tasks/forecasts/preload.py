"""What each process that forecasts or scores loads first: all that needs no address and no settings.

While it loads, Prefect's server starts, which keeps one processor busy and not two. Prefect is not among it: it takes
its server's address when it is imported, and that is handed over later.
"""

from tasks.tracking.client import prepare_environment


def dask_setup(_worker: object) -> None:
    """Called by Dask before the process takes its first task."""
    prepare_environment()
    load()


def load() -> None:
    """Import it, after MLflow's environment is set."""
    import exchange_calendars  # noqa: F401 - imported ahead of time, as all others here
    import mlflow.pyfunc
    import mlflow.store.model_registry.sqlalchemy_store
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

    import tasks.forecasts.make
    import tasks.forecasts.scoring  # noqa: F401
