"""MLflow's server behind the guard, as `mlflow server --app-name tomorrow` finds it: by an entry point of ours."""

import os

from tasks.system.access.guard import COOKIE_SALT, TOKEN, App, Door, KeyGuard

NAME = "tomorrow"
HINT = (
    "MLflow's server of `tomorrow up` lets in whoever has its key. In a browser, open the link that `tomorrow up` has "
    "shown, or that `tomorrow status --links` shows. A program sends the key, which is in that link, as "
    "MLFLOW_TRACKING_TOKEN; commands of `tomorrow` on the same state directory have it by themselves."
)


def create() -> App:
    """The application, with the guard that the environment describes."""
    from mlflow.server.fastapi_app import app

    return KeyGuard(app, Door.here(), os.environ[TOKEN], os.environ[COOKIE_SALT], HINT)
