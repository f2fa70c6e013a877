"""MLflow's server behind the guard; `mlflow server --app-name tomorrow` finds it by our entry point."""

import os

from tasks.system.access.guard import COOKIE_SALT, TOKEN, App, Door, KeyGuard

NAME = "tomorrow"
HINT = (
    "a key is needed: a program sends it as MLFLOW_TRACKING_TOKEN; for a browser there is a link. `tomorrow up` "
    "has shown both; `tomorrow status --links` on its state directory shows them again. Commands of `tomorrow` on "
    "the same state directory send the key by themselves."
)


def create() -> App:
    """The application, with the guard that the environment describes."""
    from mlflow.server.fastapi_app import app

    return KeyGuard(app, Door.here(), os.environ[TOKEN], os.environ[COOKIE_SALT], HINT)
